"""The command render."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from tyro.conf import arg

from latent_hands.cli.options import NewData, Shard, unset
from latent_hands.errors import HandsError


class Set(NamedTuple):
    """A kind of rendered set.

    Attributes:
        function: what renders it, in `rendering.sets`.
        options: the options that not every kind has.
        content: what it consists of, in words.
    """

    function: str
    options: tuple[str, ...]
    content: str


OF_SCENES = ("scene_size", "factor_tags", "defocus")
SETS = {
    "": Set(
        "dataset.render_dataset",
        (*OF_SCENES, "without", "poses_per_scene", "poses", "poses_share"),
        "{count} training images",
    ),
    "--counterfactual": Set(
        "counterfactual_set.render_counterfactual", OF_SCENES, "groups and grids of images"
    ),
    "--moving": Set(
        "moving.render_moving", (*OF_SCENES, "without", "frames", "fps"), "sequences of a moving hand"
    ),
    "--whole-images": Set("whole_set.render_whole_images", ("no_hand",), "{count} whole training images"),
}
"""The sets, by the option that selects them."""


def render(
    out: NewData,
    count: Annotated[
        int | None, unset("1000; with --counterfactual 0", "N", "Number of training images.")
    ] = None,
    size_px: Annotated[
        int | None, unset("320; with --counterfactual 128", "PX", "Side of the images in pixels.")
    ] = None,
    seed: Annotated[int, arg(metavar="N")] = 0,
    workers: Annotated[
        int | None, unset("one for each core; 1 below 60 images", "N", "Number of parallel processes.")
    ] = None,
    shard: Shard = None,
    poses_per_scene: Annotated[int | None, unset("4", "N")] = None,
    evaluation_count: Annotated[int | None, unset("a tenth; with --counterfactual 1200", "N")] = None,
    scene_size: Annotated[
        tuple[float, float] | None, unset("0.8 1.3; with --counterfactual 0.85 1.0", "LOW HIGH")
    ] = None,
    defocus: Annotated[
        tuple[float, float] | None, unset("a third of the scenes, up to 0.03", "LOW HIGH")
    ] = None,
    convention: Annotated[str, arg(metavar="NAME")] = "rhd",
    poses: Annotated[Path | None, unset("poses of the renderer", "FILE")] = None,
    poses_share: Annotated[float | None, unset("0.5", "SHARE")] = None,
    without: Annotated[tuple[str, ...], unset("nothing", "KIND ...")] = (),
    factor_tags: bool = False,
    counterfactual: bool = False,
    moving: bool = False,
    frames: Annotated[int | None, unset("90, with --moving", "N")] = None,
    fps: Annotated[float | None, unset("30, with --moving", "RATE")] = None,
    whole_images: bool = False,
    no_hand: Annotated[float | None, unset("0.25", "SHARE")] = None,
) -> None:
    """Render labelled images of hands in the layout of RHD (Rendered Hand Pose Dataset).

    $ latent-hands render hands --count 2000 --size-px 320
    $ latent-hands render hands --count 20000 --workers 8 --seed 1
    $ latent-hands render scenes --count 12000 --size-px 80 --scene-size 0.85 1.0 --defocus 0.05 0.1
    $ latent-hands render hands --count 20000 --poses poses.safetensors --poses-share 0.5
    $ latent-hands render plain --without objects jewellery other_hand
    $ latent-hands render benchmark --counterfactual
    $ latent-hands render videos --moving --count 900 --frames 90 --fps 30
    $ latent-hands render photographs --whole-images --count 4000 --no-hand 0.3
    $ latent-hands render hands --count 1000000 --shard 3/200
    $ latent-hands render factors --count 8000 --size-px 80 --scene-size 0.85 1.0 --factor-tags

    Output: OUT/training and OUT/evaluation with colour images, masks, depth maps, content tags and labels.
    Other commands read them by --data rendered --root OUT. Every reader of RHD accepts them.

    With --counterfactual, the images form groups, in which only one factor changes, and grids of every pose
    in every scene. They are the ground truth of swaps and transfers for `latent-hands assess`. Without
    further options, the set is the benchmark of docs/counterfactual.md.

    With --moving, the images form sequences. In each, one hand moves smoothly before one background and rests
    for a quarter of the time. The labels also have the time in seconds. Images have 256 px by default.

    With --whole-images, the images show people, objects, and any number of labelled hands, near and far, for
    the training of a detector. --data rendered-hands reads each hand.

    With --shard I/N, the command renders portion I of N. Portions may run at the same time, on several
    machines (docs/many_machines.md). The last one completes the set.

    Run the same command again to continue an interrupted rendering. A folder that holds a set with other
    settings is an error. Rendering needs the extra `render`: pip install 'latent-hands[render]'.

    Args:
        seed: Seed of the images. They do not depend on the number of workers.
        poses_per_scene: Number of images that share a person, light and background.
        evaluation_count: Number of evaluation images, with other people and places.
        scene_size: Smallest and largest square around a hand, as shares of the side of the image; at most 1
            for synthesis.
        defocus: Smallest and largest blur of the background (standard deviation), as shares of the side of
            the image.
        convention: The joint convention of the labels (docs/joint_conventions.md).
        poses: Poses of real hands: a file that `latent-hands retarget` wrote.
        poses_share: The share of images with a pose from --poses, slightly varied.
        without: Variety to leave out: ages, jewellery, objects, other_hand, low_resolution, rough_camera,
            surfaces.
        factor_tags: Also write images of the person alone and of the background alone for each scene.
        counterfactual: Render groups and grids, 24 images each. The seed changes only training images.
        moving: Render sequences of a moving hand; --count is rounded up to whole sequences.
        frames: Number of images of a sequence.
        fps: Images per second.
        whole_images: Render whole images with any number of hands, without content tags.
        no_hand: The share of whole images without hands: faces, feet, bare arms, objects.
    """
    from latent_hands.rendering.variety import Variety

    kinds = {"--counterfactual": counterfactual, "--moving": moving, "--whole-images": whole_images}
    chosen = [option for option, wanted in kinds.items() if wanted]
    if len(chosen) > 1:
        raise HandsError("--counterfactual, --moving and --whole-images are different sets; give one of them")
    options: dict[str, Any] = {"count": count, "size_px": size_px, "evaluation_count": evaluation_count}
    options |= {"seed": seed, "workers": workers, "convention": convention, "shard": shard}
    further: dict[str, Any] = {"scene_size": scene_size, "factor_tags": factor_tags or None}
    further |= {"defocus": defocus, "without": without or None, "poses_per_scene": poses_per_scene}
    further |= {"poses": poses, "poses_share": poses_share, "frames": frames, "fps": fps, "no_hand": no_hand}
    given = {name: value for name, value in further.items() if value is not None}
    kind = "".join(chosen)
    check_given(kind, given)
    if "without" in given:
        given["variety"] = Variety.without(*given.pop("without"))
    module, function = SETS[kind].function.split(".")
    render_set = getattr(import_module(f"latent_hands.rendering.sets.{module}"), function)
    given |= {name: value for name, value in options.items() if value is not None}
    if "{count}" in SETS[kind].content:
        given.setdefault("count", 1000)
    render_set(out, **given)
    print(f"{out}: {SETS[kind].content.format(count=given.get('count'))} with labels")


def check_given(kind: str, given: dict[str, Any]) -> None:
    """Raise HandsError for an option that this kind of set does not have, and for a share of no poses."""
    for name, value in given.items():
        if name not in SETS[kind].options:
            needed = next(option for option, each in SETS.items() if name in each.options)
            wrong = f"it cannot be given with {kind}" if kind else f"it needs {needed}"
            raise HandsError(f"{name} is {value}; {wrong}")
    if "poses_share" in given and "poses" not in given:
        raise HandsError(f"poses_share is {given['poses_share']}; it needs --poses FILE")
