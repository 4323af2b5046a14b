"""The command synthesise-set."""

from typing import Annotated, Literal

from tyro.conf import arg

from latent_hands.cli.options import (
    RUN_HELP,
    Json,
    LimitedData,
    NewData,
    OptionalData,
    OptionalRoot,
    TrainingSplit,
    unset,
)


def synthesise_set(
    out: NewData,
    count: Annotated[int, arg(metavar="N")] = 1000,
    run: Annotated[str, arg(metavar="RUN", help=RUN_HELP)] = "synthesis",
    poses: Annotated[
        Literal["prior", "fitted", "labels", "renderer"] | None,
        unset("labels with --data, otherwise renderer", "{prior,fitted,labels,renderer}"),
    ] = None,
    contents: Annotated[
        Literal["prior", "fitted", "tags", "images"] | None,
        unset(
            "tags or images with --data, otherwise fitted where RUN holds mixtures, or prior",
            "{prior,fitted,tags,images}",
        ),
    ] = None,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: TrainingSplit = None,
    limit: LimitedData = None,
    seed: Annotated[int, arg(metavar="N")] = 0,
    evaluation_count: Annotated[int, arg(metavar="N")] = 0,
    poses_per_scene: Annotated[int, arg(metavar="N")] = 4,
    max_reread_mm: Annotated[float, arg(metavar="MM")] = 25.0,
    json: Json = False,
) -> None:
    """Make a labelled data set of synthesised hands.

    $ latent-hands synthesise-set made --count 1000
    $ latent-hands synthesise-set made --count 1000 --data rendered --root hands
    $ latent-hands synthesise-set made --run runs/mine --poses fitted --data rendered --root hands
    $ latent-hands export made_coco --data rendered --root made --layout coco

    Output: a data set in OUT in the layout of rendered sets, which --data rendered reads, and the number of
    dropped images. The file rendered.json states the run, the checksum of its weights, the sources, the seed
    and the joint convention.

    The run reads each image again. If the joints that it reads differ from the requested ones by more than
    --max-reread-mm, the image is dropped, and another pose is drawn. A run is a lenient judge of its own
    images.

    All hands are left hands. The camera and the size of the hand are assumed. There are no masks and no depth
    images, and tag images only if the run decodes them.

    Run the same command again to continue an interrupted set.

    Args:
        count: Number of training images.
        poses: The prior N(0, I), a mixture fitted to the poses of --data or held by the run, the labels of
            --data, or poses that the renderer draws. Poses of the prior are rarely reread.
        contents: The prior, a mixture fitted to the contents of --data or held by the run, or the tags or
            images of --data.
        seed: Seed of poses and contents.
        evaluation_count: Number of evaluation images.
        poses_per_scene: Number of images that share a content.
        max_reread_mm: Largest mean distance in mm of the joints that the run reads from the requested ones,
            for a bone of 40 mm.
    """
    from latent_hands.cli.sources import check_unnamed, find_samples
    from latent_hands.cli.tables import print_json
    from latent_hands.predictor import Model
    from latent_hands.runs.folder import weights_checksum
    from latent_hands.runs.hub import pinned
    from latent_hands.studies.sampling.making import Request, make_set
    from latent_hands.studies.sampling.synthetic_set import count_images

    check_unnamed(data, root=root, split=split, limit=limit)
    split, limit = split or "training", 2000 if limit is None else limit
    samples = find_samples(data, root, split, (), limit) if data else []
    request = Request(count, evaluation_count, seed, poses_per_scene, max_reread_mm, poses, contents)
    about = {
        "run": pinned(run),
        "weights": weights_checksum(run),
        "data": data,
        "data_split": split if data else None,
    }
    make_set(out, Model.load(run), request, samples, about)
    counts = count_images(out)
    if json:
        print_json({"out": str(out)} | counts)
        return
    drawn = counts["images"] + counts["dropped"]
    print(
        f"{out}: {counts['images']:,} images; {counts['dropped']:,} of {drawn:,} were dropped, "
        f"because their poses were not reread within {max_reread_mm:g} mm"
    )
