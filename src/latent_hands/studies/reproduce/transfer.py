"""Fig. 6: poses read from images, carried into other scenes."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from latent_hands.data import Sample
from latent_hands.draw import TRUTH
from latent_hands.predictor import Model, photo_of, tag_of
from latent_hands.studies.reproduce.figure import CELL_IN, Found, Sheet, from_text, hand, reach, to_text
from latent_hands.studies.reproduce.selection import Points, distance, label, scenes, seen, spread
from latent_hands.synthesis import combine, stack

ROWS, COLUMNS = 4, 5


def measure_fig6(model: Model, samples: Sequence[Sample]) -> Found:
    """Every pose, extracted by q(z | x), in every scene, and what the model's own encoder reads there again.

    `extracted_epe_mm`: the pose decoded from the extracted latent, against the label. `read_back_epe_mm`: the
    pose that q(z | x) reads from the synthesised image, against the label. Raises HandsError for a set
    without tag images, and as `Model.transfer` does.
    """
    chosen, crop = spread(samples, ROWS), model.experiment.data.crop
    photos = [photo_of(sample, crop) for sample in chosen]
    tags = [tag_of(hands[0], crop) for hands in scenes(samples, COLUMNS)]
    z_pose = stack([model.latent(photo, ["pose"]) for photo in photos])
    z_content = stack([model.latent(tag, ["content"], "tag") for tag in tags])
    made = model.decode(combine(z_pose, z_content))
    truth, bone_mm = zip(*(label(model, sample) for sample in chosen), strict=True)
    images = model.transfer(photos, tags, "tag")
    read = made["rgb"].float().clamp(-1, 1)
    sided = model.experiment.data.side == "condition"
    right = torch.zeros(len(read), dtype=torch.bool) if sided else None  # `decode` writes left hands
    again = model.outputs(read, right)["pose"].cpu().numpy()
    everywhere = (np.repeat(each, len(tags), axis=0) for each in (truth, bone_mm))
    extracted = made["pose"].float().cpu().numpy()[:: len(tags)]
    return {
        "poses": [to_text(seen(photo)) for photo in photos],
        "truth_bones": truth,
        "tags": [to_text(seen(tag)) for tag in tags],
        "images": [[to_text(image) for image in row] for row in images],
        "extracted_epe_mm": errors_mm(extracted, truth, bone_mm),
        "read_back_epe_mm": errors_mm(again, *everywhere),
    }


def errors_mm(poses: Iterable[Points], truth: Iterable[Points], bone_mm: Iterable[float]) -> list[float]:
    """Mean distance of the joints of each pose from its label."""
    return [float(b) * distance(p, np.asarray(t)) for p, t, b in zip(poses, truth, bone_mm, strict=True)]


def draw_fig6(found: Found) -> Figure:
    """First column: the images that give the poses; second: their labels; first row: the tags."""
    rows, columns = len(found["poses"]), len(found["tags"])
    sheet = Sheet(rows + 1, columns + 2, ((0,), (0, 1)), (0.05, 0.05, 0.05, 0.3))
    size = reach(found["truth_bones"])
    for column, tag in enumerate(found["tags"], 2):
        sheet.show(0, column, from_text(tag), framed=True)
    for row, image in enumerate(found["poses"], 1):
        sheet.show(row, 0, from_text(image), framed=True)
        sheet.show(row, 1, hand(found["truth_bones"][row - 1], size, TRUTH))
        for column, made in enumerate(found["images"][row - 1], 2):
            sheet.show(row, column, from_text(made))
    middle = sheet.down[0] + CELL_IN / 2
    sheet.text(sheet.across[1] + CELL_IN - 0.02, middle, "content from", fontsize=8, ha="right")
    sheet.text(
        sheet.across[0] + CELL_IN / 2, sheet.down[0] + CELL_IN - 0.02, "pose from", fontsize=8, va="bottom"
    )
    sheet.text(
        sheet.across[1] + CELL_IN / 2, sheet.down[0] + CELL_IN - 0.02, "its label", fontsize=8, va="bottom"
    )
    told = (
        f"Poses extracted from the images by q(z|x): {np.mean(found['extracted_epe_mm']):.0f} mm from the "
        f"labels; read again from the synthesised images: {np.mean(found['read_back_epe_mm']):.0f} mm."
    )
    return sheet.with_note(told)
