"""The command retarget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from latent_hands.cli.options import Data, Json, Limit, Root, Split
from latent_hands.cli.tables import print_json, print_table
from latent_hands.errors import HandsError
from latent_hands.progress import progress_bars


def retarget(
    out: Annotated[Path, Positional, arg(metavar="OUT.safetensors", help="A new file.")],
    data: Data,
    root: Root,
    split: Split = "training",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Convert the poses of a labelled data set to joint angles of the renderer's hand.

    $ latent-hands retarget poses.safetensors --data stb-poses --root STB
    $ latent-hands render hands --count 20000 --poses poses.safetensors

    Output: a file of joint angles for `latent-hands render --poses`, and a table of the fit errors. The
    file does not contain the proportions of the person.

    The bone lengths are fitted to all hands together, then inverse kinematics finds the angles of each hand.
    Fingers that overlap are opened by the smallest possible angle. Hands that do not fit are left out; the
    table counts them. A wrong joint order, unit or side of the labels is an error.
    """
    from latent_hands.cli.sources import find_samples
    from latent_hands.rendering.pose_file import write_poses
    from latent_hands.rendering.retarget import retarget as fit_hands

    if out.suffix != ".safetensors":
        raise HandsError(f"{out} must end in .safetensors, the format of the file")
    if out.exists():
        raise HandsError(f"{out} exists; give the name of a new file")
    with progress_bars() as progress:
        hands = fit_hands(find_samples(data, root, split, (), limit), progress)
    kept, summary = hands.kept, hands.summary()
    if not kept.any():
        raise HandsError(f"no hand of {split} of {root} fits; check the order and unit of its joints")
    write_poses(out, hands.angles_deg[kept].numpy(), hands.final_mm[kept].numpy(), data)
    if json:
        print_json({"out": str(out)} | summary)
    else:
        print_fit(summary, f"{out}: poses of {split} of {data}")


def print_fit(summary: Mapping[str, Any], title: str) -> None:
    """Print how well the renderer's hand fits the labels of a data set."""
    joint, joint_mm = max(summary["joints_mm"].items(), key=lambda item: item[1])
    rows = [
        ["hands", f"{summary['hands']}"],
        ["fit error, mean", f"{summary['fit_error_mm']:.1f} mm"],
        ["fit error, median", f"{summary['median_mm']:.1f} mm"],
        ["fit error, 90th percentile", f"{summary['percentile_90_mm']:.1f} mm"],
        [f"fit error of the worst joint, {joint}", f"{joint_mm:.1f} mm"],
        ["hands with fingers in one another", f"{summary['collided']}"],
        ["mean error after opening them", f"{summary['freed_error_mm']:.1f} mm"],
        ["hands left out", f"{summary['left_out']}"],
    ]
    print_table(["", ""], rows, title)
