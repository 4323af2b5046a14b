"""Commands that make data and models, and measure them: demo, render, train, evaluate."""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, Suppress, arg

from latent_hands.cli.options import DataName, Json, Number, Root, Run, Split
from latent_hands.errors import HandsError


def demo(
    out: Path = Path("runs/demo"),
    count: Annotated[int, arg(help="Training images to render.")] = 1600,
    rhd: Annotated[Path | None, arg(metavar="DIR", help="Also evaluate on RHD, if you have it here.")] = None,
) -> None:
    """The whole path in minutes: render hands, train, evaluate, estimate, transfer, and a page about it.

    Every stage is kept: a second call goes on where the first one stopped.

    $ latent-hands demo
    $ latent-hands demo --out runs/small --count 400
    $ latent-hands demo --rhd ~/data/RHD_published_v2

    Args:
        out: The folder that everything is written to; report.html in it is the page to open.
    """
    from latent_hands.studies.demo import run_demo

    run_demo(out, count, rhd)


def render(
    out: Annotated[Path, Positional, arg(metavar="OUT")],
    count: Number = None,
    size_px: Annotated[int | None, arg(metavar="PX")] = None,
    seed: int = 0,
    workers: Number = None,
    poses_per_scene: Number = None,
    evaluation_count: Number = None,
    scene_size: Annotated[tuple[float, float] | None, arg(metavar="LOW HIGH")] = None,
    defocus: Annotated[tuple[float, float] | None, arg(metavar="LOW HIGH")] = None,
    convention: str = "rhd",
    poses: Annotated[Path | None, arg(metavar="FILE")] = None,
    poses_share: Annotated[float | None, arg(metavar="SHARE")] = None,
    without: Annotated[tuple[str, ...], arg(metavar="KIND")] = (),
    factor_tags: bool = False,
    counterfactual: bool = False,
) -> None:
    """Render labelled hands in RHD's layout, which every RHD reader reads.

    $ latent-hands render hands --count 2000 --size-px 320
    $ latent-hands render hands --count 20000 --workers 8 --seed 1
    $ latent-hands render scenes --count 12000 --size-px 80 --scene-size 0.85 1.0 --defocus 0.05 0.1
    $ latent-hands render hands --count 20000 --poses poses.safetensors --poses-share 0.5
    $ latent-hands render plain --without objects jewellery other_hand
    $ latent-hands render benchmark --counterfactual
    $ latent-hands render factors --count 8000 --size-px 80 --scene-size 0.85 1.0 --factor-tags

    With --counterfactual: groups of images in which one factor alone changes, and grids of every pose in
    every scene: the truth of swaps and transfers. Without other options it is the benchmark of docs/data.md.

    Args:
        out: A new folder, or one of the same settings that was not finished.
        count: Training images [1000; counterfactual 0].
        size_px: Side of the images, pixels [320; counterfactual 128].
        seed: The same seed gives the same images, however many workers there are.
        workers: Processes [all cores].
        poses_per_scene: Images that share person, light and background [4].
        evaluation_count: Evaluation images, of other people and places
            [a tenth of count; counterfactual 1200].
        scene_size: Least and largest side of a scene's box, in image sides; for synthesis at most 1
            [0.8 1.3; counterfactual 0.85 1.0].
        defocus: Least and largest blur of what is behind the hand, as of a portrait lens, in image sides
            [a third of the scenes, up to 0.03].
        convention: Where the labels place the joints: as the data set of that name does (docs/data.md).
        poses: Poses of real hands, a file that `latent-hands retarget` wrote.
        poses_share: The share of images whose pose is one of them, a little jittered [0.5].
        without: Variety to leave out: ages, jewellery, objects, other_hand, low_resolution, rough_camera.
        factor_tags: Also write every scene's person alone and its background alone, which name these factors.
        counterfactual: Groups and grids, 24 images at a time; the seed decides training images alone.
    """
    from latent_hands.rendering.sets.counterfactual_set import render_counterfactual
    from latent_hands.rendering.sets.dataset import render_dataset
    from latent_hands.rendering.variety import Variety

    chosen: dict[str, Any] = {"count": count, "size_px": size_px, "evaluation_count": evaluation_count}
    chosen |= {"scene_size": scene_size, "factor_tags": factor_tags or None, "defocus": defocus}
    ordinary = {"poses_per_scene": poses_per_scene, "poses": poses, "poses_share": poses_share}
    ordinary |= {"variety": Variety.without(*without) if without else None}
    chosen |= ordinary
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if poses is None and poses_share is not None:
        raise HandsError(f"poses_share is {poses_share}; legal without --poses: not given")
    if not counterfactual:
        chosen = {"count": 1000} | chosen
        render_dataset(out, seed=seed, workers=workers, convention=convention, **chosen)
        print(f"{chosen['count']} training images and their labels are in {out}")
        return
    for name in ordinary.keys() & chosen.keys():
        raise HandsError(f"{name} is {chosen[name]}; legal with --counterfactual: not given")
    render_counterfactual(out, seed=seed, workers=workers, convention=convention, **chosen)
    print(f"groups and grids of images and their labels are in {out}")


def train(
    experiment: Annotated[str, Positional, arg(metavar="EXPERIMENT")],
    out: Annotated[Path | None, arg(metavar="DIR")] = None,
    resume: bool = False,
    overrides: Annotated[tuple[str, ...], Suppress] = (),
) -> None:
    """Train an experiment, a TOML file or a shipped one by name.

    $ latent-hands train demo_estimation --data.root hands --out runs/mine
    $ latent-hands train my.toml --training.batch-size 64 --training.seed 3
    $ latent-hands train my.toml --out runs/mine --resume

    Any value of the file can be changed by --section.key value.

    Args:
        experiment: A TOML file, or the name of one that the package brings.
        out: The run folder [runs/ and the experiment's name].
        resume: Go on with a run that was stopped, bit for bit.
    """
    from latent_hands.experiment import load_experiment
    from latent_hands.training import train as run_training

    chosen = load_experiment(experiment, overrides)
    run_training(chosen, out or Path("runs") / Path(experiment).stem, resume=resume)


def evaluate(
    run: Run,
    data: DataName = "rendered",
    root: Root = None,
    split: Split = "evaluation",
    rotations: int = 1,
    limit: Number = None,
    exact: bool = False,
    encoder: Annotated[str | None, arg(metavar="ARROW")] = None,
    convention: Annotated[str | None, arg(metavar="NAME")] = None,
    json: Json = False,
) -> None:
    """Score a run on a labelled data set: EPE, PCK, AUC, canonical pose, viewpoint, with 95 % intervals.

    Side and bone length are given, as in the paper, to a run of the ray frame the camera, too; the run brings
    its own crop, side and frame. DIR may be a packed store.

    $ latent-hands evaluate estimation --data rhd --root RHD_published_v2
    $ latent-hands evaluate runs/mine --data rendered --root hands --rotations 8 --json
    $ latent-hands evaluate runs/depth --data rendered --root hands --encoder depth
    $ latent-hands evaluate estimation --data freihand --root mine --convention mediapipe

    What the rows are, by their names in --json: epe_mm and median_epe_mm, distance of the visible joints,
    palm included, from the labels; epe_20_mm leaves the palm out, epe_wrist_mm has the wrist in its place.
    auc_20_50 and auc_0_50, area under the share of joints within a distance. pa_epe_mm, after Procrustes
    alignment; epe_bone_aligned_mm, with the labels' mean bone lengths. cpose_epe_mm and viewpoint_deg, of
    canonical pose and viewpoint; epe_composed_mm, of the pose that they make together. "Without the camera"
    the answer in the ray frame is scored as it is; "translated" has joints where the labels place them.

    Args:
        rotations: Average the estimates of so many turned crops.
        limit: Only the first so many images.
        exact: Integrate AUC 20-50 from 20 mm, not from 21.05 mm as was published.
        encoder: The run's encoder that reads the images [one that reads rgb].
        convention: Where the labels place the joints, of a set that does not say it: rhd, mediapipe, mano, ..
            (docs/data.md).
    """
    from latent_hands.cli.sources import find_samples
    from latent_hands.cli.tables import scores_table
    from latent_hands.data.store import is_store
    from latent_hands.evaluation.scoring import score_run, stored_windows
    from latent_hands.predictor import Model

    name = data or "rendered"
    model = Model.load(run)
    if root is not None and is_store(root):
        hands = stored_windows(model, name, root, split, rotations, limit, encoder)
    else:
        hands = find_samples(name, root, split, (), limit)
    numbers = score_run(model, hands, split, rotations, exact, encoder=encoder, convention=convention)
    if json:
        print(json_format.dumps(numbers, indent=2))
    else:
        scores_table(numbers, f"{run} on {data}, {numbers['samples']} images of {split}")
