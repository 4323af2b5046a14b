"""Does synthesised data help an estimator? Train a small one with and without it, at equal updates.

    latent-hands render hands --count 9000 --evaluation-count 600 --size-px 320 --poses-per-scene 2
    python benchmarks/learn_from_synthesised.py OUT --rendered hands --ge2019 GE [--photographs PHOTOS] \\
        [--rhd RHD]

Every variant trains the image encoder of `studies.ablate` into the finished latent of `estimation`:

* "rendered": the first N rendered hands.
* "+ synthesised": the same N hands, and OTHERS images of `synthesis`. Their poses are drawn by the renderer.
  Their contents are those of the first CONTENTS rendered hands, and, in half of them, those of PHOTOS, a COCO
  set with 3D joints and cameras.
* "+ rendered": the same N hands, and all further rendered hands, up to the largest N.

All variants see equally many images. With others, half of the images are the N hands. Numbers are means over
the seeds with 95 % intervals of Student's t. The seeds change initial weights, order and augmentation, not
the hands. A stopped call continues where it stopped. A call with a further set scores finished runs on it.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from portrait_hands import inside
from scipy.stats import t as student

from latent_hands import draw
from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.data import Sample, open_data
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.windows import Windows
from latent_hands.evaluation.scoring import score_run
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.runs.folder import EXPERIMENT, weights_checksum
from latent_hands.studies.ablate import SMALL, Scores, table_scores
from latent_hands.studies.sampling.making import Request, make_set
from latent_hands.training import train

GENERATOR = "synthesis"
COUNTS, OTHERS, CONTENTS = (500, 4000), 4000, 500
LENGTH, MOST = 2 * OTHERS, max(COUNTS)
"""Images of an epoch, in every variant, and the number of rendered hands."""
EVALUATED = 300
"""Hands of an evaluation split that are scored."""
LEAST_INSIDE = 0.95
"""Least share of a crop inside its image, for images that give contents."""
ALONE, SYNTHESISED, RENDERED = "rendered", "+ synthesised", "+ rendered"
SHEET = (4, 10)
"""Rows and columns of the sheet of synthesised images."""


def synthesised(out: Path, rendered: Sequence[Sample], photographs: Sequence[Sample]) -> list[Sample]:
    """Return OTHERS synthesised hands with contents of these images; make them if they are missing."""
    model = Model.load(GENERATOR)
    sources = {"rendered": rendered, "photographs": photographs}
    sources = {name: [each for each in of if inside(each) >= LEAST_INSIDE] for name, of in sources.items()}
    sources = {name: of for name, of in sources.items() if of}
    made = list[Sample]()
    for name, of in sources.items():
        request = Request(OTHERS // len(sources), seed=1, poses="renderer", contents="images")
        about = {"run": GENERATOR, "weights": weights_checksum(GENERATOR), "data": name}
        folder = make_set(out / f"contents_of_{name}", model, request, of, about)
        made += open_data("rendered", folder, "training")
        print(f"{len(of)} contents of {name}")
    rows, columns = SHEET
    shown = [made[i] for i in np.linspace(0, len(made) - 1, rows * columns).astype(int)]
    cells = [read_rgb(sample.image) for sample in shown]
    sheet = draw.grid([cells[i * columns : (i + 1) * columns] for i in range(rows)])
    draw.save_image(sheet, out / "synthesised.png")
    return made


def variants() -> dict[tuple[int, str], torch.Tensor]:
    """Return the LENGTH numbers of the hands of each variant, among all rendered and synthesised ones."""
    found = {}
    for count in COUNTS:
        others = {ALONE: range(count), SYNTHESISED: range(MOST, MOST + OTHERS), RENDERED: range(count, MOST)}
        for name, numbers in others.items():
            if numbers:
                halves = [torch.tensor(each) for each in (range(count), numbers)]
                found[count, name] = torch.cat(
                    [each.repeat(-(-OTHERS // len(each)))[:OTHERS] for each in halves]
                )
    return found


def experiment_of(epochs: int, seed: int) -> Experiment:
    """Return the experiment of all variants."""
    own = ("--data.validation_share=0", f"--phases.embed_rgb.epochs={epochs}")
    return load_experiment("photographs", [*SMALL, *own, f"--training.seed={seed}", "--training.warmup=50"])


def score(out: Path, sets: Mapping[str, Sequence[Sample]]) -> dict[str, Scores]:
    """Return the scores of a finished run on these sets, and keep them in its folder."""
    file = out / "scores.json"
    scores = json.loads(file.read_text()) if file.exists() else {}
    if missing := sets.keys() - scores.keys():
        model = Model.load(out)
        scores |= {name: table_scores(score_run(model, sets[name], "evaluation")) for name in missing}
        write_text(file, json.dumps(scores, indent=1) + "\n")
    return {name: scores[name] for name in sets}


def interval(values: Sequence[float]) -> str:
    """Return mean and half width of the 95 % interval of a mean."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.1f} ± {half:.1f}"


def rows(found: Mapping[tuple[int, str], Sequence[dict[str, Scores]]]) -> list[str]:
    """Return the rows of a table: means, and differences from the same seeds without other hands."""
    lines = []
    for (count, name), seeds in found.items():
        cells = []
        for key in seeds[0]:
            for measure in ("EPE", "PA"):
                values = [each[key][measure] for each in seeds]
                alone = [each[key][measure] for each in found[count, ALONE]]
                gain = [a - b for a, b in zip(values, alone, strict=True)]
                cells.append(interval(values) + ("" if name == ALONE else f" ({interval(gain)})"))
        lines.append(f"| {count} {name} | {' | '.join(cells)} |")
    heading = [f"{key} {measure}" for key in next(iter(found.values()))[0] for measure in ("EPE", "PA")]
    return [f"| | {' | '.join(heading)} |", "|---" * (len(heading) + 1) + "|", *lines]


def main() -> None:
    """Make the set, train and score what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder of all runs")
    parser.add_argument("--rendered", type=Path, required=True, help=f"a rendered set of {MOST} hands")
    parser.add_argument("--photographs", help="a COCO set whose places give contents")
    parser.add_argument("--ge2019", type=Path, help="the folder of Ge 2019, which is scored")
    parser.add_argument("--rhd", type=Path, help="the folder of RHD, which is scored")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each run (default: 3)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant (default: 3)")
    chosen = parser.parse_args()
    roots = {"rendered": chosen.rendered, "ge2019": chosen.ge2019, "rhd": chosen.rhd}
    sets = {name: open_data(name, root, "evaluation", EVALUATED) for name, root in roots.items() if root}

    @cache
    def windows() -> Windows:
        samples = open_data("rendered", chosen.rendered, "training", MOST)
        photographs = open_data("coco", chosen.photographs, "training") if chosen.photographs else []
        samples += synthesised(chosen.out, samples[:CONTENTS], photographs)
        experiment = experiment_of(chosen.epochs, 0)
        vae = build_vae(experiment)
        return build_hands(experiment, vae, build_phases(experiment, vae), training=samples).training

    found: dict[tuple[int, str], list[dict[str, Scores]]] = {}
    for (count, name), index in variants().items():
        for seed in range(chosen.seeds):
            out = chosen.out / f"{count} {name}-seed{seed}".replace(" + ", "_and_").replace(" ", "_")
            if not (out / "scores.json").exists():
                hands, resume = Hands(windows().select(index), None), (out / EXPERIMENT).exists()
                if not train(experiment_of(chosen.epochs, seed), out, resume, hands):
                    raise SystemExit("stopped; the same call continues")
            found.setdefault((count, name), []).append(score(out, sets))
        print("\n".join(rows(found)), flush=True)


if __name__ == "__main__":
    main()
