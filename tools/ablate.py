"""What each kind of variety and of augmentation does for photographs: one change at a time, equal updates.

    latent-hands render HANDS --count 24000 --evaluation 1000 --size 160
    python tools/ablate.py HANDS OUT --ge2019 GE [--rhd RHD] [--only NAME ...] [--seeds N]

Every run embeds images anew into the finished latent of `estimation`. "without KIND" learns from the
images of a set to which that kind did not fall, distributed as those of `render --without KIND`; "all" from
as many of every kind; "plain" from those without any, which are fewer and seen more often. The same for what
every image has one of: a place, a pattern or clutter behind the hand, light of places or of lamps, a pose
that is a gesture, a blend of two or a synergy. All that are asked for at once learn from equally many
images. Choose on Ge 2019, a development set, and on rendered hands, never on RHD. A stopped call goes on
where it was.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.data import open_data
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.experiment import Experiment, load_experiment
from latent_hands.files import write_text
from latent_hands.hand.rig.poses import sample_kind
from latent_hands.predictor import Model
from latent_hands.rendering.looks.light import LAMPS
from latent_hands.rendering.scene import scene_rng
from latent_hands.rendering.variety import KINDS, Variety, kinds_of
from latent_hands.runs.folder import EXPERIMENT
from latent_hands.training import train

SMALL = (
    "--networks.backbone=resnet18",
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
Chosen = Callable[[Traits], bool]


def variants() -> dict[str, tuple[Chosen, tuple[str, ...]]]:
    """By name: which images are learnt from, by their traits, and the changed settings."""

    def everything(_: Traits) -> bool:
        return True

    names = (*KINDS, *SCENERY, *POSES)
    without: dict[str, Chosen] = {f"without {n}": lambda traits, n=n: n not in traits for n in names}
    plain: Chosen = lambda traits: traits.isdisjoint(KINDS)  # noqa: E731
    augmented = {n: tuple(f"--augmentation.{v}" for v in each) for n, each in AUGMENTATIONS.items()}
    return {n: (chosen, ()) for n, chosen in {"all": everything, **without, "plain": plain}.items()} | {
        n: (everything, changed) for n, changed in augmented.items()
    }


def traits_of_images(root: Path, hands: Hands) -> list[Traits]:
    """What every training window's image has: its kinds of variety, its scenery, how its pose was drawn."""
    manifest = json.loads((root / "rendered.json").read_text())
    if manifest.get("poses"):
        raise HandsError(f"{root} was rendered with --poses: how its poses were drawn is not known")
    seed, variety, each = manifest["seed"], Variety(**manifest["variety"]), manifest["poses_per_scene"]
    factors = {sample.name: sample.factors or {} for sample in open_data("rendered", root, "training")}

    def traits(name: str) -> Traits:
        scene, pose = divmod(int(name), each)
        drawn, _ = sample_kind(scene_rng(seed, "training", scene, pose))
        kinds = kinds_of("training", scene, seed, variety)
        return frozenset((*kinds, *scenery(factors[name]["look"]), drawn))

    return [traits(name) for name in track(hands.training.names, "what the images show")]


def scenery(look: Mapping[str, Any]) -> list[str]:
    """What is behind the hand and what lights it."""
    behind = look["background"]
    place, pattern, clutter, daylight, lamplight = SCENERY
    lit = lamplight if look["light"]["place"] == LAMPS else daylight
    return [place if behind["seen"] else pattern, lit, *([clutter] if behind["layers"] else [])]


def experiment_of(options: argparse.Namespace, changed: tuple[str, ...], seed: int) -> Experiment:
    """The small experiment with one change."""
    budget = (f"--phases.embed_rgb.epochs={options.epochs}", f"--training.seed={seed}")
    return load_experiment("photographs", [*SMALL, *changed, *budget, f"--data.root={options.hands}"])


def run(options: argparse.Namespace) -> dict[str, list[Mapping[str, float]]]:
    """Train and score what is missing; by variant its seeds' scores."""
    plain = experiment_of(options, (), 0)
    vae = build_vae(plain)
    hands = build_hands(plain, vae, build_phases(plain, vae))
    chosen = variants()
    if unknown := set(options.only) - chosen.keys():
        raise HandsError(f"--only {', '.join(sorted(unknown))}; legal: {', '.join(chosen)}")
    chosen = {name: chosen[name] for name in options.only or chosen}
    traits = traits_of_images(options.hands, hands)
    sizes = {name: sum(map(wanted, traits)) for name, (wanted, _) in chosen.items()}
    count = min((size for name, size in sizes.items() if name != "plain"), default=sizes.get("plain", 0))
    sets = {
        name: open_data(name, Path(root), "evaluation")
        for name, root in (("rendered", options.hands), ("ge2019", options.ge2019), ("rhd", options.rhd))
        if root
    }
    found: dict[str, list[Mapping[str, float]]] = {}
    for seed in range(options.seeds):
        for name, (wanted, changed) in chosen.items():
            index = torch.tensor([i for i, each in enumerate(traits) if wanted(each)])
            shuffled = index[torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))]
            repeats = -(-count // len(index))
            learnt = hands.training.select(shuffled.repeat(repeats)[:count])
            out = options.out / f"{name.replace(' ', '_').replace(',', '')}-seed{seed}"
            if not (out / "scores.json").exists():
                go_on = (out / EXPERIMENT).exists()
                experiment = experiment_of(options, changed, seed)
                if not train(experiment, out, resume=go_on, hands=Hands(learnt, hands.validation)):
                    raise KeyboardInterrupt
                model = Model.load(out)
                scored = {n: numbers(score_run(model, s, "evaluation")) for n, s in sets.items()}
                write_text(out / "scores.json", json.dumps(scored, indent=1) + "\n")
            scored = json.loads((out / "scores.json").read_text())
            found.setdefault(name, []).append(
                {f"{s} {k}": v for s, values in scored.items() for k, v in values.items()}
            )
    return found


def numbers(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What the table shows; in the labels' own convention where that is known."""
    own = scores.get("translated", scores)
    return {"EPE": own["epe_mm"], "PA": own["pa_epe_mm"]}  # pyright: ignore[reportReturnType]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hands", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ge2019", type=Path)
    parser.add_argument("--rhd", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
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
