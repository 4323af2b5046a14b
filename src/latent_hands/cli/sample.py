"""The command sample."""

from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import Json, LimitedData, OptionalData, OptionalRoot, Run, TrainingSplit, unset
from latent_hands.cli.quick_imports import quick_imports


def sample(
    run: Run,
    out: Annotated[Path, Positional, arg(metavar="OUT", help="A new folder.")],
    count: Annotated[int, arg(metavar="N")] = 64,
    seed: Annotated[int, arg(metavar="N")] = 0,
    latents: Annotated[
        Literal["prior", "fitted"] | None,
        unset("fitted with --data or where RUN holds mixtures, otherwise prior", "{prior,fitted}"),
    ] = None,
    data: OptionalData = None,
    root: OptionalRoot = None,
    split: TrainingSplit = None,
    limit: LimitedData = None,
    json: Json = False,
) -> None:
    """Generate images of random poses and contents.

    $ latent-hands sample synthesis samples
    $ latent-hands sample synthesis samples --data rendered --root hands --limit 1000 --seed 1
    $ latent-hands sample synthesis samples --data rendered --root hands --latents prior

    Output: images/NUMBER.png, sheet.png and samples.json in OUT. With --data, the sheet has the nearest given
    image beside each sample, by pixels and, with the extra `imagenet`, by features. It shows whether the run
    copies training images.

    Latents are drawn from mixtures of Gaussians fitted to the latents of the images of --data, or from those
    that the run holds (`runs fit-latents`; `synthesis` holds some), or from the prior N(0, I). With --data,
    the output states the distance of the latents from the prior in nats. If it is large, the prior draws
    latents that are unlike those of any image, and their images are poor.

    Args:
        count: Number of images, 1 to 10000.
        seed: Seed of the latents.
        latents: The distribution of the latents.
    """
    with quick_imports():
        from latent_hands.cli.assess import find_features
        from latent_hands.cli.sources import check_unnamed, find_samples
        from latent_hands.cli.tables import print_json
        from latent_hands.lock import new_folder
        from latent_hands.predictor import Model
        from latent_hands.runs.folder import weights_checksum
        from latent_hands.runs.hub import pinned
        from latent_hands.studies.sampling.sampled import sample_images, write_samples

    check_unnamed(data, root=root, split=split, limit=limit)
    split, limit = split or "training", 2000 if limit is None else limit
    with new_folder(out) as folder:
        model = Model.load(run)
        samples = find_samples(data, root, split, (), limit) if data else []
        features = find_features(model) if samples else None
        fitted = None if latents is None else latents == "fitted"
        sampled = sample_images(model, count, seed, samples, fitted, features)
        write_samples(folder, sampled, {"run": pinned(run), "weights": weights_checksum(run)})
    if json:
        print_json({"out": str(out)} | sampled.about)
    else:
        print_samples(sampled.about, out)


def print_samples(about: dict[str, Any], out: Path) -> None:
    """Print what was drawn, and how near given images are."""
    for role in ("pose", "content"):
        if role in about:
            print(f"{role}: {describe(about[role])}")
    for kind, found in about.get("nearest", {}).items():
        between = f"{found['median_between_given']:.3g} and {found['smallest_between_given']:.3g}"
        print(
            f"nearest given image in {kind}: median {found['median']:.3g}, least {found['smallest']:.3g}; "
            f"between given images of different scenes {between}"
        )
    print(f"{out}: {about['count']} images, and sheet.png")
    if "prior" in (about.get(role, {}).get("from") for role in ("pose", "content")):
        print("The prior gives poor images; latents fitted to images (--data, --root) give better ones")


def describe(drawn: dict[str, Any]) -> str:
    """Return one line on the distribution of some factors."""
    origin = "drawn from the prior N(0, I)"
    if drawn["from"] == "fitted":
        origin = (
            f"drawn from a mixture of {drawn['components']} Gaussians fitted to {drawn['images']:,} images"
        )
    if "nats_from_prior" not in drawn:
        return f"{drawn['numbers']} numbers, {origin}"
    return (
        f"{drawn['numbers']} numbers, {origin}; "
        f"the latents of the images are {drawn['nats_from_prior']:.1f} nats from the prior"
    )
