"""The command benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from latent_hands.cli.options import RUN_HELP, Json, Limit, Root, Rotations, unset
from latent_hands.errors import HandsError

if TYPE_CHECKING:
    from latent_hands.evaluation.submissions import Submission


RUN, OUT = "estimation", Path("runs/pred.zip")


def benchmark(
    protocol: Annotated[Literal["freihand", "ho3d"], Positional],
    root: Root,
    run: Annotated[str, arg(metavar="RUN", help=RUN_HELP)] = RUN,
    rotations: Rotations = 1,
    out: Annotated[Path, arg(metavar="FILE")] = OUT,
    predictions: Annotated[Path | None, unset("those of RUN", "FILE")] = None,
    convention: Annotated[str | None, unset("mano if registered, else that of RUN", "NAME")] = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Score a run by the official protocols of FreiHAND and HO-3D.

    $ latent-hands benchmark freihand --root FreiHAND_pub_v2_eval --out runs/freihand/pred.zip
    $ latent-hands benchmark ho3d --root HO3D_v3 --run runs/mine --rotations 8
    $ latent-hands benchmark ho3d --root HO3D_v3 --predictions pred.json

    Output: pred.zip, which the servers of the challenges read, and the scores if the folder of --root has
    evaluation_xyz.json. The keys of --json are means over joints and hands in mm.

    * camera_mpjpe_mm, camera_auc: error and area under the curve (0 to 50 mm) in the camera frame.
    * root_relative_..: with the wrist of the truth.
    * scale_translation_..: also with its distance from the wrist to the middle knuckle (MCP).
    * pa_..: after Procrustes alignment.
    * mesh_.., pa_mesh_..: of vertices, with the F-scores at 5 and 15 mm, if the predictions have the vertices
      of evaluation_verts.json.

    Both data sets have the joint convention of MANO, for which this package has no table. The output names
    the submitted convention, and estimates the error that the difference causes: convention_gap of --json,
    the smallest and the largest over the known conventions in mm. docs/benchmarks.md explains how to fit
    "mano".

    Models of this package predict joints and no mesh. They have no F-scores, and pred.zip has the 21 joints
    in the place of vertices.

    Args:
        protocol: The data set and its protocol.
        out: The submission to write.
        convention: Translate the joints into this joint convention before they are submitted.
        predictions: Score this pred.json or pred.zip of any method, and predict nothing.
    """
    from latent_hands.cli.benchmarking import predict, print_benchmark, score
    from latent_hands.cli.tables import print_json
    from latent_hands.evaluation.submissions import of_joints, read_submission, write_submission

    def show(submission: "Submission", made_by: str, about: "dict[str, Any]") -> None:
        numbers = score(protocol, root, submission, limit, predictions is not None) | about
        if json:
            print_json(numbers | {"predictions": str(submission.path)})
        else:
            print_benchmark(numbers, protocol, made_by, submission.path)

    if out.suffix != ".zip":
        raise HandsError(f"--out is {out}; it must end in .zip")
    if predictions is not None:
        given = {"--run": run != RUN, "--rotations": rotations != 1, "--out": out != OUT}
        given["--convention"] = convention is not None
        if unused := [name for name, each in given.items() if each]:
            raise HandsError(f"without effect, because --predictions is given: {', '.join(unused)}")
        show(read_submission(predictions), str(predictions), {})
        return
    xyz, about = predict(protocol, root, run, rotations, limit, convention)
    try:
        write_submission(out, xyz, xyz)
    finally:  # the disk may be full now
        show(of_joints(out, xyz), run, about)
