"""The command render."""

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from latent_hands.cli.options import NewData, Shard, unset
from latent_hands.errors import HandsError


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
    """Render labelled images of hands in the layout of RHD.

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
    from latent_hands.rendering.sets.dataset import render_dataset
    from latent_hands.rendering.variety import Variety

    shared: dict[str, Any] = {"count": count, "size_px": size_px, "evaluation_count": evaluation_count}
    shared |= {"scene_size": scene_size, "factor_tags": factor_tags or None, "defocus": defocus}
    ordinary = {"poses_per_scene": poses_per_scene, "poses": poses, "poses_share": poses_share}
    ordinary |= {"variety": Variety.without(*without) if without else None}
    given: dict[str, Any] = {n: value for n, value in (shared | ordinary).items() if value is not None}
    given |= {"seed": seed, "workers": workers, "convention": convention, "shard": shard}
    if counterfactual + moving + whole_images > 1:
        raise HandsError("--counterfactual, --moving and --whole-images are different sets; give one of them")
    sequences = {name: value for name, value in {"frames": frames, "fps": fps}.items() if value is not None}
    if moving:
        from latent_hands.rendering.sets.moving import render_moving

        for name in given.keys() & {"poses_per_scene", "poses", "poses_share"}:
            raise HandsError(f"{name} is {given[name]}; it cannot be given with --moving")
        render_moving(out, **given, **sequences)
        print(f"{out}: sequences of a moving hand with labels")
        return
    for name, value in sequences.items():
        raise HandsError(f"{name} is {value}; it needs --moving")
    if no_hand is not None and not whole_images:
        raise HandsError(f"no_hand is {no_hand}; it needs --whole-images")
    if whole_images:
        from latent_hands.rendering.sets.whole_set import render_whole_images

        elsewhere = {*ordinary, "scene_size", "factor_tags", "defocus"}
        for name in sorted(elsewhere & given.keys()):
            raise HandsError(f"{name} is {given[name]}; it cannot be given with --whole-images")
        given |= {} if no_hand is None else {"no_hand": no_hand}
        given = {"count": 1000} | given
        render_whole_images(out, **given)
        print(f"{out}: {given['count']} whole training images with labels")
        return
    if counterfactual:
        from latent_hands.rendering.sets.counterfactual_set import render_counterfactual

        for name in ordinary.keys() & given.keys():
            raise HandsError(f"{name} is {given[name]}; it cannot be given with --counterfactual")
        render_counterfactual(out, **given)
        print(f"{out}: groups and grids of images with labels")
        return
    if poses is None and poses_share is not None:
        raise HandsError(f"poses_share is {poses_share}; it needs --poses FILE")
    given = {"count": 1000} | given
    render_dataset(out, **given)
    print(f"{out}: {given['count']} training images with labels")
