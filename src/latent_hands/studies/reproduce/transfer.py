"""Fig. 6: poses from images, transferred into other scenes."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from latent_hands.data import Sample
from latent_hands.draw import TRUTH
from latent_hands.predictor import Model, crop_of_sample, tag_of
from latent_hands.studies.gallery import content_reads
from latent_hands.studies.reproduce.drawing import CELL_IN, Results, Sheet, from_text, hand, reach, to_text
from latent_hands.studies.reproduce.selection import (
    Points,
    distance,
    label,
    model_view,
    scenes,
    spread,
)
from latent_hands.synthesis import combine, stack

ROWS, COLUMNS = 4, 5


def measure_fig6(model: Model, samples: Sequence[Sample]) -> Results:
    """Transfer every pose, from q(z | x), into every scene, and estimate it from the synthesised image again.

    `extracted_epe_mm` is the error of the pose decoded from the first latent. `read_back_epe_mm` is the
    error of the pose estimated from the synthesised image. Both compare with the label. Raises HandsError
    for a set without tag images, and as `Model.transfer` does.
    """
    chosen, crop, reads = spread(samples, ROWS), model.experiment.data.crop, content_reads(model)
    photos = [crop_of_sample(sample, crop) for sample in chosen]
    tags = [tag_of(hands[0], crop) for hands in scenes(samples, COLUMNS)]
    z_pose = stack([model.latent(photo, ["pose"]) for photo in photos])
    z_content = stack([model.latent(tag, ["content"], reads) for tag in tags])
    decoded = model.decode(combine(z_pose, z_content))
    truth, bone_mm = zip(*(label(model, sample) for sample in chosen), strict=True)
    images = model.transfer(photos, tags, reads)
    synthesised = decoded["rgb"].float().clamp(-1, 1)
    sided = model.experiment.data.right_hands == "condition"
    right = torch.zeros(len(synthesised), dtype=torch.bool) if sided else None  # `decode` writes left hands
    again = model.outputs(synthesised, right)["pose"].cpu().numpy()
    everywhere = (np.repeat(each, len(tags), axis=0) for each in (truth, bone_mm))
    extracted = decoded["pose"].float().cpu().numpy()[:: len(tags)]
    return {
        "poses": [to_text(model_view(photo)) for photo in photos],
        "truth_bones": truth,
        "tags": [to_text(model_view(tag)) for tag in tags],
        "images": [[to_text(image) for image in row] for row in images],
        "extracted_epe_mm": errors_mm(extracted, truth, bone_mm),
        "read_back_epe_mm": errors_mm(again, *everywhere),
    }


def errors_mm(poses: Iterable[Points], truth: Iterable[Points], bone_mm: Iterable[float]) -> list[float]:
    """Return the mean distance of the joints of each pose from its label."""
    return [float(b) * distance(p, np.asarray(t)) for p, t, b in zip(poses, truth, bone_mm, strict=True)]


def draw_fig6(results: Results) -> Figure:
    """Draw the grid. First column: source images of the poses; second: their labels; first row: the tags."""
    rows, columns = len(results["poses"]), len(results["tags"])
    sheet = Sheet(rows + 1, columns + 2, ((0,), (0, 1)), (0.05, 0.05, 0.05, 0.3))
    size = reach(results["truth_bones"])
    for column, tag in enumerate(results["tags"], 2):
        sheet.show(0, column, from_text(tag), framed=True)
    for row, image in enumerate(results["poses"], 1):
        sheet.show(row, 0, from_text(image), framed=True)
        sheet.show(row, 1, hand(results["truth_bones"][row - 1], size, TRUTH))
        for column, image in enumerate(results["images"][row - 1], 2):
            sheet.show(row, column, from_text(image))
    middle = sheet.down[0] + CELL_IN / 2
    sheet.text(sheet.across[1] + CELL_IN - 0.02, middle, "content from", fontsize=8, ha="right")
    sheet.text(
        sheet.across[0] + CELL_IN / 2, sheet.down[0] + CELL_IN - 0.02, "pose from", fontsize=8, va="bottom"
    )
    sheet.text(
        sheet.across[1] + CELL_IN / 2, sheet.down[0] + CELL_IN - 0.02, "its label", fontsize=8, va="bottom"
    )
    return sheet.with_note(
        f"Mean error of the poses from the images by q(z|x): {np.mean(results['extracted_epe_mm']):.0f} mm; "
        f"estimated again from the synthesised images: {np.mean(results['read_back_epe_mm']):.0f} mm."
    )
