"""The commands runs: new runs from trained runs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from latent_hands.cli.options import Data, Json, Limit, Root, Run, Runs, Split, unset
from latent_hands.cli.tables import print_json, print_table
from latent_hands.errors import HandsError

if TYPE_CHECKING:
    from latent_hands.evaluation.calibration import Calibration
    from latent_hands.evaluation.rules import FittedRules, LabelledImages

Out = Annotated[Path, arg(metavar="DIR", help="The new run folder.")]


def average(runs: Runs, out: Out) -> None:
    """Average the weights of runs into one run (model soups, Wortsman et al. 2022).

    $ latent-hands runs average runs/first runs/second --out runs/mean

    Output: a run folder with the experiment of the last run.

    Average only runs that started from the same weights, such as a run and a run that continued from it
    ([training] start). Runs with different graphs, crops or frames are an error.
    """
    from latent_hands.runs.average import average as write

    print(write(runs, out))


def join(runs: Runs, out: Out) -> None:
    """Join the image encoders of runs into one run, whose predictions average them.

    $ latent-hands runs join runs/first runs/second --out runs/all

    Output: a run folder with the image encoders of all runs. An encoder whose name is taken gets the name of
    its network as a suffix.

    All other weights must be equal. They are if every run embedded its encoder into the same finished latent
    ([algorithm] finished, [training] start). Other weights are an error that names the first difference.
    """
    from latent_hands.runs.join import join as write

    print(write(runs, out))


def shrink(run: Run, out: Out, without: Annotated[tuple[str, ...], unset("none", "ARROW ...")] = ()) -> None:
    """Copy a run with weights of half precision, which halves their size, to publish it.

    $ latent-hands runs shrink runs/mine --out published
    $ latent-hands runs shrink runs/mine --out published --without decoders.tag encoders.tag

    Output: a run folder without the names of local folders and without the state of the optimiser.

    All commands accept it except `train --resume`.

    Args:
        without: Encoders and decoders to leave out, such as decoders.tag.
    """
    from latent_hands.runs.shrink import shrink as write

    folder = write(run, out, without)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")


def fit_latents(run: Run, data: Data, root: Root, split: Split = "training", limit: Limit = None) -> None:
    """Fit mixtures of Gaussians to the latents of images, and write them into the run.

    $ latent-hands runs fit-latents runs/mine --data rendered --root hands --limit 10000

    Output: latents.safetensors in the run folder, with one mixture for the pose and one for the content.
    `sample` and `synthesise-set` then draw from them, and no longer need a data set for good images.

    Use training images. Poses are inferred from labels, contents from tags where the run reads tags.

    The mixtures belong to these weights. After more training, they are refused. `runs shrink`, `average` and
    `join` write other weights without mixtures: fit them again.
    """
    from latent_hands.cli.sources import find_samples
    from latent_hands.studies.sampling.own_latents import fit_latents as fit

    mixtures = fit(run, find_samples(data, root, split, (), limit))
    for role, mixture in mixtures.items():
        print(f"{role}: {len(mixture.components)} Gaussians")


def calibrate(
    run: Run,
    data: Data,
    root: Root,
    split: Split = "evaluation",
    limit: Limit = None,
    write: bool = False,
    json: Json = False,
    rules: bool = False,
    also: Annotated[tuple[str, ...], unset("none", "NAME=DIR ...")] = (),
    without_hands: Annotated[Path | None, unset("none", "DIR")] = None,
    detector: Annotated[bool, arg(help_behavior_hint="(default: use it)")] = True,
    picture: Annotated[Path | None, unset("none", "FILE")] = None,
) -> None:
    """Fit the temperature at which the spread of draws equals the error of their mean.

    $ latent-hands runs calibrate runs/mine --data rendered --root hands
    $ latent-hands runs calibrate runs/mine --data rendered --root hands --write
    $ latent-hands runs calibrate runs/mine --data rendered --root hands --rules --also ge2019=GE2019 --write

    Output: the temperature, and error over spread before and after: 1 is calibrated, more than 1 is too
    certain (docs/assess.md). The temperature is fitted to one half of the scenes. The other half is the test.

    Use hands like those that the run will predict, but none of its training hands. Labels of a single scene
    are an error.

    With --rules, the command also fits the rules for the side, the presence and the confidence of found hands
    (docs/how_hands_are_found.md). It prints how reliable the confidence is, by set: of hands as they are
    found, with box and side given, cut by the border of the image, and with the wrong side given, which is
    not fitted. Data sets whose names end in "-hands" must label all hands of their images, because other
    detections count as false.

    Args:
        write: Write the result into experiment.toml of the run.
        rules: Also fit the rules for found hands.
        also: Further data sets for the rules, of the same split, such as ge2019=FOLDER.
        without_hands: Folder of images without any hand, for the rule of presence.
        detector: Do not use the detector for the rules; read the hands in their labelled boxes.
        picture: Image of the reliability diagram of the confidence to write.
    """
    from latent_hands.cli.sources import find_samples, parse_sets
    from latent_hands.data.readers.images import list_images
    from latent_hands.draw.figures import save_figure
    from latent_hands.draw.reliability import reliability_diagram
    from latent_hands.evaluation.calibration import calibrate as fit
    from latent_hands.evaluation.rules import LabelledImages, calibrate_rules
    from latent_hands.progress import progress_bars

    further = parse_sets(also, "--also")
    if data in further:
        raise HandsError(
            f"--also is {data}={further[data]}, but --data is {data}, too: leave one of them out"
        )
    if not rules and (also or without_hands is not None):
        raise HandsError("--also and --without-hands give images to fit rules to: add --rules")
    if not rules and (picture is not None or not detector):
        raise HandsError("--picture and --no-detector have no effect without the rules: add --rules")
    result = fit(run, find_samples(data, root, split, (), limit), write)
    fitted = None
    if rules:
        sets = [_labelled(name, folder, split, limit) for name, folder in ({data: root} | further).items()]
        if without_hands is not None:
            images = {each.image: () for each in list_images([without_hands])}
            sets.append(LabelledImages(images, True, "without hands"))
        with progress_bars() as progress:
            fitted = calibrate_rules(run, sets, result.temperature, detector, write, progress)
    if json:
        print_json(asdict(result) | ({} if fitted is None else {"rules": asdict(fitted)}))
    else:
        print_calibration(result, f"{run} on {split} of {data}: error over spread")
        if fitted is not None:
            print_rules(fitted)
    if fitted is not None and picture is not None:  # after all is printed: the disk may be full now
        save_figure(reliability_diagram(fitted.reliability["reliability"]), picture)


def print_calibration(result: "Calibration", title: str) -> None:
    """Print error over spread before and after a calibration."""
    lines = {"temperature 1": result.before, f"temperature {result.temperature:.2f}": result.after}
    rows = [[name, *(f"{number:.2f}" for number in halves)] for name, halves in lines.items()]
    print_table(["", "fitted half", "other half"], rows, title)


def print_rules(rules: "FittedRules") -> None:
    """Print how well the rules do on images that they were not fitted to."""
    default, fitted = rules.side_right
    print(f"side right: {default:.3f} by the default rule, {fitted:.3f} by the fitted one")
    if rules.presence is not None and rules.presence_kept is not None:
        print(f"detected hands that are kept: {rules.presence_kept:.3f}")
    found = rules.reliability
    rows = [[f"{p:.2f}", f"{o:.2f}", str(n)] for p, o, n in found["reliability"]]
    title = f"share of joints within 30 mm; mean difference {found['calibration_error']:.3f}"
    print_table(["expected", "observed", "readings"], rows, title)
    names = list(rules.readings[0].expected)
    rows = [
        [
            f"{each.data}, {each.kind}",
            f"{each.readings:,}",
            f"{each.observed:.3f}",
            *(f"{each.expected[name]:.3f}" for name in names),
            *(f"{each.difference[name]:.3f}" for name in names),
        ]
        for each in rules.readings
    ]
    heads = [f"{what}: {name}" for what in ("expected", "difference") for name in names]
    title = "confidence by reading; own: the run's rule, fitted: the rule of the other half"
    print_table(["readings", "number", "observed", *heads], rows, title)


def _labelled(name: str, root: Path, split: str, limit: int | None) -> "LabelledImages":
    """Return the labelled images of a data set, with those without hands where all hands are labelled."""
    from latent_hands.cli.sources import find_samples
    from latent_hands.data.whole_images import hands_by_image, images_of
    from latent_hands.evaluation.rules import LabelledImages

    complete = name.endswith("-hands")
    images = images_of(root, split)[:limit] if complete else []
    hands = hands_by_image(find_samples(name, root, split, (), limit), images)
    return LabelledImages({path: hands[path] for path in images} if complete else hands, complete, name)
