"""Images of a data set whose factors users load: from the image, its tag image, or its labelled joints."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latent_hands import draw
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample
from latent_hands.data.selection import require_sample
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import FRAMING
from latent_hands.hand.translation import translate
from latent_hands.paper.latent import Posterior
from latent_hands.pixels import to_images
from latent_hands.predictor import HandCrop, crop_of_sample, tag_of
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.photographs import left_pose

Part = Literal["image", "pose", "tag"]
"""What factors are inferred from: the crop of the image, its labelled joints, or its tag image."""
PARTS: tuple[Part, ...] = get_args(Part)
_SKELETON_PX = 192


class DataSet:
    """The images of a data set, selected by number or name.

    Args:
        samples: the samples, whose files are read when they are shown.
        where: what errors call the data set.

    Raises HandsError if there are no samples.
    """

    def __init__(self, samples: Sequence[Sample], where: str):
        if not samples:
            raise HandsError(f"{where} has no images")
        self.samples, self.where = tuple(samples), where

    def find(self, text: str) -> Sample:
        """Return the sample with this number or name. Raises HandsError if there is none."""
        return require_sample(text.strip(), self.samples, self.where)

    def beside(self, sample: Sample, steps: int) -> Sample:
        """Return the sample that follows after some steps; the first one follows the last one."""
        place = [each.name for each in self.samples].index(sample.name)
        return self.samples[(place + steps) % len(self.samples)]


def factors_of(instrument: Instrument, sample: Sample, part: Part) -> tuple[Posterior, Tensor | None]:
    """Return q of all factors that a run infers from a part of a sample, and the 3DPose of labelled joints.

    The pose is that of a left hand in "rhd_bones"; it is None for an image. Right hands are mirrored.
    Raises HandsError for a sample without that part, and for a run that does not read it.
    """
    if part == "pose":
        pose = labelled_pose(instrument, sample)
        return instrument.pose_posterior(pose[None]), pose
    reads = "tag" if part == "tag" else "rgb"
    factors = instrument.inferred(reads)
    if not factors:
        raise HandsError(f'the run "{instrument.name}" has no encoder of {reads}')
    images = _photo(instrument, sample, part).as_left().to_tensor(instrument.model.crop_px)
    return instrument.image_posterior(images, factors, reads), None


def labelled_pose(instrument: Instrument, sample: Sample) -> Float[Tensor, "21 3"]:
    """Return the 3DPose of labelled joints as a left hand in "rhd_bones", along the ray through its crop.

    Raises HandsError for a sample without 3D joints or side.
    """
    xyz_mm = palm_xyz_mm(sample)
    if xyz_mm is None or sample.handedness is None:
        raise HandsError(f'{sample.where} has no "xyz_mm" or no "handedness"; load its image instead')
    pose = left_pose(_photo(instrument, sample, "image"), xyz_mm)
    if sample.convention in (None, FRAMING):
        return pose
    return translate(pose[None], sample.convention, FRAMING)[0]


def pictures_of(instrument: Instrument, sample: Sample) -> dict[Part, ImageArray]:
    """Return the parts that a sample has as pictures of a left hand: crops as networks read them, joints."""
    found: dict[Part, ImageArray] = {}
    for part in PARTS:
        if part == "pose" and sample.xyz_mm is not None and sample.handedness is not None:
            pose = labelled_pose(instrument, sample).numpy()
            found[part] = draw.skeleton(pose, size_px=_SKELETON_PX, frame=draw.framing(pose))
        elif part == "image" or (part == "tag" and sample.tag is not None):
            crop = _photo(instrument, sample, part).as_left().to_tensor(instrument.model.crop_px)
            found[part] = np.ascontiguousarray(to_images(crop)[0])
    return found


def _photo(instrument: Instrument, sample: Sample, part: Part) -> HandCrop:
    crop = instrument.model.experiment.data.crop
    return tag_of(sample, crop) if part == "tag" else crop_of_sample(sample, crop)
