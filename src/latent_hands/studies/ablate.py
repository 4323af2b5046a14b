"""Ablation: what each kind of variety and of augmentation contributes, one change at a time.

    latent-hands render HANDS --count 24000 --evaluation-count 1000 --size-px 160 --convention rhd_bones
    python -m latent_hands.studies.ablate HANDS OUT --ge2019 GE [--rhd RHD] [--only NAME ...] [--seeds N]

Every variant trains a small image encoder for the finished latent of `estimation`.

* "all" trains on images of every kind.
* "without KIND" trains on the images that do not have this kind. They are distributed like the images of
  `render --without KIND`.
* "plain" trains on the images that have no kind at all. They are fewer, so they are repeated.
* The same exists for properties that every image has: the background (a place, a pattern, clutter), the light
  (of places, of lamps) and the source of the pose (a gesture, a blend of two gestures, a synergy).
* The other variants train on the images of "all" with a changed augmentation.

All variants train on the same number of images, limited by the smallest variant. Choose between variants by
Ge 2019, a development set, and by rendered hands. Do not choose by RHD, the test set. A stopped call
continues where it stopped.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.data import Sample, open_data
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.files import write_text
from latent_hands.hand.rig.poses import sample_kind
from latent_hands.predictor import Model
from latent_hands.rendering.looks.light import LAMPS
from latent_hands.rendering.scene import scene_rng
from latent_hands.rendering.variety import KINDS, Variety, kinds_of
from latent_hands.runs.folder import EXPERIMENT
from latent_hands.training import train

SMALL = (
    "--networks.image_encoder=resnet18",
    "--networks.width=32",
    "--networks.stem=unshuffle",
    "--data.crop_px=64",
    "--data.window_px=112",
    "--data.validation_share=0.04",
    "--training.seed=0",
)
AUGMENTATIONS = {
    "no colour": ("brightness=0", "contrast=0", "saturation=0", "hue=0"),
    "no blur, noise, low resolution": ("blur_px=0", "noise=0", "downsample=1"),
    "JPEG in half": ("jpeg=0.5",),
    "occluders in a third": ("occluders=0.33",),
    "scale 0.8 .. 1.3": ("scale=[0.8,1.3]",),
}
SCENERY = ("a place behind", "a pattern behind", "clutter behind", "light of places", "light of lamps")
POSES = ("gesture", "blend", "synergy")
Traits = frozenset[str]
Filter = Callable[[Traits], bool]
Scores = dict[str, float]


def variants() -> dict[str, tuple[Filter, tuple[str, ...]]]:
    """Return for each variant which images it trains on, by their traits, and its changed settings."""

    def everything(_: Traits) -> bool:
        return True

    def plain(traits: Traits) -> bool:
        return traits.isdisjoint(KINDS)

    names = (*KINDS, *SCENERY, *POSES)
    without: dict[str, Filter] = {f"without {n}": lambda traits, n=n: n not in traits for n in names}
    filters: dict[str, Filter] = {"all": everything, **without, "plain": plain}
    augmented = {n: tuple(f"--augmentation.{v}" for v in each) for n, each in AUGMENTATIONS.items()}
    return {name: (wanted, ()) for name, wanted in filters.items()} | {
        name: (everything, changed) for name, changed in augmented.items()
    }


def image_traits(root: Path, hands: Hands) -> list[Traits]:
    """Return the traits of every training image: kinds of variety, scenery and the source of the pose.

    Raises HandsError for a set that was rendered with `--poses`, because the source of its poses is unknown.
    """
    manifest = json.loads((root / "rendered.json").read_text())
    if manifest.get("poses"):
        raise HandsError(
            f"{root} was rendered with --poses, so the source of its poses is unknown; "
            "use a set that was rendered without --poses"
        )
    seed, variety, each = manifest["seed"], Variety(**manifest["variety"]), manifest["poses_per_scene"]
    factors = {sample.name: sample.factors or {} for sample in open_data("rendered", root, "training")}

    def traits(name: str) -> Traits:
        scene, pose = divmod(int(name), each)
        drawn, _ = sample_kind(scene_rng(seed, "training", scene, pose))
        kinds = kinds_of("training", scene, seed, variety)
        return frozenset((*kinds, *scenery(factors[name]["look"]), drawn))

    return [traits(name) for name in track(hands.training.names, "traits of the images")]


def scenery(look: Mapping[str, Any]) -> list[str]:
    """Return the names of SCENERY that apply to a scene: its background and its light."""
    behind = look["background"]
    place, pattern, clutter, daylight, lamplight = SCENERY
    light = lamplight if look["light"]["place"] == LAMPS else daylight
    return [place if behind["seen"] else pattern, light, *([clutter] if behind["layers"] else [])]


def small_experiment(options: argparse.Namespace, changed: tuple[str, ...], seed: int) -> Experiment:
    """Return the experiment `photographs` with small networks and crops, and with changed settings."""
    budget = (f"--phases.embed_rgb.epochs={options.epochs}", f"--training.seed={seed}")
    return load_experiment("photographs", [*SMALL, *changed, *budget, f"--data.root={options.hands}"])


def run(options: argparse.Namespace) -> dict[str, list[Scores]]:
    """Train and score the missing variants. Return the scores of each variant, a list over the seeds."""
    chosen = variants()
    if unknown := set(options.only) - chosen.keys():
        raise HandsError(f"--only {', '.join(sorted(unknown))}: unknown; choose from {', '.join(chosen)}")
    chosen = {name: chosen[name] for name in options.only or chosen}
    experiment = small_experiment(options, (), 0)
    vae = build_vae(experiment)
    hands = build_hands(experiment, vae, build_phases(experiment, vae))
    traits = image_traits(options.hands, hands)
    indices = {name: [i for i, t in enumerate(traits) if wanted(t)] for name, (wanted, _) in chosen.items()}
    sizes = {name: len(index) for name, index in indices.items()}
    count = min((size for name, size in sizes.items() if name != "plain"), default=sizes.get("plain", 0))
    roots = {"rendered": options.hands, "ge2019": options.ge2019, "rhd": options.rhd}
    sets = {name: open_data(name, Path(root), "evaluation") for name, root in roots.items() if root}
    found: dict[str, list[Scores]] = {}
    for seed in range(options.seeds):
        for name, (_, changed) in chosen.items():
            out = options.out / f"{name.replace(' ', '_').replace(',', '')}-seed{seed}"
            if not (out / "scores.json").exists():
                index = torch.tensor(indices[name])
                shuffled = index[torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))]
                selected = hands.training.select(shuffled.repeat(-(-count // len(index)))[:count])
                train_and_score(
                    small_experiment(options, changed, seed), out, Hands(selected, hands.validation), sets
                )
            scores = json.loads((out / "scores.json").read_text())
            found.setdefault(name, []).append(
                {f"{s} {k}": v for s, values in scores.items() for k, v in values.items()}
            )
    return found


def train_and_score(
    experiment: Experiment, out: Path, hands: Hands, sets: Mapping[str, Sequence[Sample]]
) -> None:
    """Train one variant and write its scores on every set. Raises KeyboardInterrupt if training stopped."""
    if not train(experiment, out, resume=(out / EXPERIMENT).exists(), hands=hands):
        raise KeyboardInterrupt
    model = Model.load(out)
    scores = {name: table_scores(score_run(model, each, "evaluation")) for name, each in sets.items()}
    write_text(out / "scores.json", json.dumps(scores, indent=1) + "\n")


def table_scores(scores: Mapping[str, Any]) -> Scores:
    """Return EPE and PA-EPE in mm, in the joint convention of the labels where it is known."""
    own = scores.get("translated", scores)
    return {"EPE": own["epe_mm"], "PA": own["pa_epe_mm"]}


def main() -> None:
    """Run the ablation and print a table of mean scores over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hands", type=Path, help="a rendered set to train on")
    parser.add_argument("out", type=Path, help="the folder of all runs")
    parser.add_argument("--ge2019", type=Path, help="the folder of Ge 2019, which is scored too")
    parser.add_argument("--rhd", type=Path, help="the folder of RHD, which is scored too")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each run (default: 6)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each variant (default: 1)")
    parser.add_argument("--only", nargs="*", default=[], help="names of variants (default: all)")
    options = parser.parse_args()
    try:
        found = run(options)
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None
    columns = list(next(iter(found.values()))[0])
    table = Table("", *columns, "seeds")
    for name, seeds in found.items():
        means = (sum(each[c] for each in seeds) / len(seeds) for c in columns)
        table.add_row(name, *(f"{mean:.1f}" for mean in means), str(len(seeds)))
    Console().print(table)


if __name__ == "__main__":
    main()
