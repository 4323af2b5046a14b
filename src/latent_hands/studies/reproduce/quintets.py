"""Fig. 8: quintets of image, CPose and 3DPose. The ground truth is red, the prediction blue."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from latent_hands.data import Sample
from latent_hands.draw import PREDICTION, TRUTH
from latent_hands.predictor import Model, crop_of_sample
from latent_hands.studies.gallery import crop_image, error_mm, labelled_pose, truth_mm
from latent_hands.studies.reproduce.drawing import CELL_IN, Results, Sheet, from_text, hand, reach, to_text
from latent_hands.studies.reproduce.selection import bones, canonical, spread, thumbnail
from latent_hands.studies.reproduce.sets import TITLES

QUINTETS = 8
HEADINGS = ("image", "CPose, truth", "predicted", "3DPose, truth", "predicted")


def measure_fig8(models: Mapping[str, tuple[Model, Sequence[Sample]]]) -> Results:
    """Return quintets of evenly spaced evaluation images of each set.

    Poses are in mm, CPoses of left hands.
    """
    return {
        "sets": {
            name: [quintet(model, sample) for sample in spread(samples, min(QUINTETS, len(samples)))]
            for name, (model, samples) in models.items()
        }
    }


def quintet(model: Model, sample: Sample) -> Results:
    """Return one image with its label and the prediction of the model."""
    photo = crop_of_sample(sample, model.experiment.data.crop)
    prediction = model.estimate(photo)
    pose, bone_mm = bones(labelled_pose(sample))
    return {
        "name": sample.name,
        "image": to_text(thumbnail(crop_image(photo))),
        "cpose_mm": [bone_mm * canonical(pose), prediction.cpose_mm],
        "pose_mm": [truth_mm(sample), prediction.xyz_mm],
        "epe_mm": error_mm(prediction, sample),
    }


def draw_fig8(results: Results) -> Figure:
    """Draw two quintets per row, one set after the other."""
    quintets = [(name, quintet) for name, each in results["sets"].items() for quintet in each]
    rows = (len(quintets) + 1) // 2
    wide = (0, 2, 4, 4, 5, 7) if len(quintets) > 1 else (0, 2)
    sheet = Sheet(rows, min(len(quintets), 2) * 5, ((), wide), (0.05, 0.22, 0.05, 0.3))
    for place, (name, each) in enumerate(quintets):
        _quintet(sheet, place // 2, 5 * (place % 2), name, each)
    for column in range(len(sheet.across)):
        sheet.text(sheet.across[column] + CELL_IN / 2, 0.12, HEADINGS[column % 5], fontsize=8)
    return sheet.with_note(
        "Red: ground truth, blue: prediction. In the images: mean error of the 3DPose. The hands are evenly "
        "spaced over the evaluation split."
    )


def _quintet(sheet: Sheet, row: int, column: int, name: str, each: Results) -> None:
    axis = sheet.show(row, column, from_text(each["image"]))
    box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    text = f"{TITLES[name] if name != 'rendered' else ''} {each['epe_mm']:.0f} mm".strip()
    axis.text(0.04, 0.04, text, fontsize=6.5, va="bottom", bbox=box)
    for offset, kind in ((1, "cpose_mm"), (3, "pose_mm")):
        size = reach(each[kind])
        for i, ink in enumerate((TRUTH, PREDICTION)):
            sheet.show(row, column + offset + i, hand(each[kind][i], size, ink))
