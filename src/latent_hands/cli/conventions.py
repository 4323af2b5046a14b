"""The commands conventions: where labels place the joints of a hand."""

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import Data, Json, Split, unset
from latent_hands.cli.tables import print_json


def fit(
    data: Data,
    root: Annotated[Path, arg(metavar="DIR", help="The folder of the data set, or a file POINTS.npy.")],
    split: Split = "training",
    order: Annotated[str | None, unset("mediapipe", "NAME")] = None,
    penalty: Annotated[float, arg(metavar="WEIGHT")] = 0.2,
    statistic: Literal["median", "mean"] = "mean",
    name: Annotated[str | None, unset("that of the data set", "NAME")] = None,
    json: Json = False,
) -> None:
    """Fit a joint convention to the labels of a data set.

    $ latent-hands conventions fit --data stb --root STB
    $ latent-hands conventions fit --data mine --root points.npy --order stb

    Output: how much each known convention differs from the labels, and the fitted convention as TOML, for
    hand/assets/conventions.toml.

    Only proportions that do not depend on the pose are compared: bone lengths and places in the palm, in
    lengths of the bone from MCP to PIP of the middle finger, and the tilt of the axes about which fingers
    bend. Check the set first (`latent-hands check`): a wrong joint order gives a wrong
    convention. POINTS.npy has the shape (n, 21, 3): left hands, wrist first, in any unit. --data is then the
    name of the new convention.

    Args:
        order: The joint order of POINTS.npy.
        penalty: Weight of the movement of keypoints, compared with the error of the proportions.
        statistic: The statistic of the proportions of all hands that is fitted.
        name: The name of the fitted convention.
    """
    from latent_hands.hand.fitting import fit_convention, misfits, to_toml
    from latent_hands.studies.joint_conventions import labelled_left_hands

    hands = labelled_left_hands(data, root, split, order)
    known, fitted = misfits(hands, statistic), fit_convention(hands, penalty, statistic)
    if json:
        print_json(
            {"misfits": {name: asdict(each) for name, each in known.items()}, "fitted": asdict(fitted)}
        )
        return
    for other, misfit in known.items():
        tilt = "unknown" if isnan(misfit.tilt_deg) else f"{misfit.tilt_deg:.1f} deg"
        print(f"# {other}: bones {misfit.bones:.3f}, palm {misfit.palm:.3f}, tilt {tilt}")
    print(f"\n{to_toml(name or data, fitted)}")


def draw(out: Annotated[Path, arg(metavar="FILE")] = Path("conventions.png")) -> None:
    """Draw all joint conventions over one rendered hand, with their bone lengths.

    $ latent-hands conventions draw --out conventions.png

    Output: the image. A column shows a convention on an open and a half closed hand, over the joints of the
    hand model in grey.

    Rendering needs the extra `render`: pip install 'latent-hands[render]'.

    Args:
        out: The image to write.
    """
    from latent_hands.studies.joint_conventions import draw_conventions

    draw_conventions(out)
    print(out)


def relabel(
    root: Annotated[
        Path, Positional, arg(metavar="DIR", help="A rendered set, or a COCO set with 3D joints.")
    ],
    out: Annotated[Path, Positional, arg(metavar="OUT", help="A new folder.")],
    convention: Annotated[str, arg(metavar="NAME")] = "rhd",
    json: Json = False,
) -> None:
    """Write the labels of a set in another joint convention; images do not change.

    $ latent-hands conventions relabel hands hands_stb --convention stb

    Output: a set with the same images, which are links to those of DIR (or copies on another disk).

    The labels of a rendered set are those of `latent-hands render --convention NAME`. Counterfactual sets are
    refused: their images depend on the convention. The 3D joints of a COCO set are translated, with a mean
    error of up to 0.2 mm; single joints are up to 6 mm off.

    Args:
        convention: The joint convention of the new labels.
    """
    from latent_hands.data.relabel_coco import relabel_coco
    from latent_hands.rendering.sets.relabel import relabel_rendered

    coco = not (root / "rendered.json").is_file() and (root / "annotations").is_dir()
    count = (relabel_coco if coco else relabel_rendered)(root, out, convention)
    if json:
        print_json({"out": str(out), "labelled": count, "convention": convention})
    else:
        print(f"{out}: {count:,} {'hands' if coco else 'images'} in the convention {convention}")
