"""Photographs that users give: within limits, with all their hands, whose factors can be loaded."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from latent_hands.data.formats.image import decode, open_image
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError, counted
from latent_hands.hand import geometry
from latent_hands.hand.conventions import FRAMING
from latent_hands.paper.latent import Posterior
from latent_hands.predictions import draw_readable
from latent_hands.predictor import Hand, HandCrop, Model
from latent_hands.predictor.convention import in_convention
from latent_hands.studio.instrument import Instrument

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
LONGER_PX = 1280
"""The longer side of a photograph is reduced to this, for the search and for the memory."""
MOST_HANDS = 8


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and the hands in it.

    Attributes:
        name: the name of its file.
        rgb: the image; its longer side has at most LONGER_PX pixels.
        hands: all hands that were found, by falling score.
    """

    name: str
    rgb: ImageArray
    hands: tuple[Hand, ...]

    @property
    def overlay(self) -> ImageArray:
        """The image with its hands drawn over it."""
        return draw_readable(self.rgb, self.hands)


def find(estimator: Model, name: str, content: bytes) -> Photograph:
    """Read the bytes of an image file and find its hands.

    Raises HandsError for more than MAX_BYTES or MAX_PIXELS, and for a file that is not an image.
    """
    rgb = read(name, content)
    return Photograph(name, rgb, tuple(estimator.find(rgb, max_hands=MOST_HANDS)))


def read(name: str, content: bytes) -> ImageArray:
    """Return the pixels of an image file, reduced to LONGER_PX. Raises HandsError as `find` does."""
    if len(content) > MAX_BYTES:
        raise HandsError(f"{name} has {len(content):,} bytes; the limit is {MAX_BYTES:,}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            with open_image(path) as image:
                if (pixels := image.width * image.height) > MAX_PIXELS:
                    raise HandsError(f"it has {pixels:,} pixels; the limit is {MAX_PIXELS:,}")
                rgb = decode(name, image)
        except HandsError as error:
            raise HandsError(str(error).replace(str(path), name)) from error
    zoom = LONGER_PX / max(rgb.shape[:2])
    if zoom >= 1:
        return rgb
    height, width = (max(round(side * zoom), 1) for side in rgb.shape[:2])
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def factors_of(instrument: Instrument, photograph: Photograph, index: int) -> tuple[Posterior, torch.Tensor]:
    """Return q of all factors of one hand, and its 3DPose as a left hand in "rhd_bones".

    The factors of the pose come from the estimated joints, the others from the crop of the hand, if the run
    reads images. Right hands are mirrored. Raises HandsError if there is no such hand.
    """
    if not 0 <= index < len(photograph.hands):
        found = counted(len(photograph.hands), "hand")
        raise HandsError(f"{photograph.name} has {found}; there is no hand {index + 1}")
    hand = in_convention(photograph.hands[index], FRAMING)
    photo = instrument.model.crop_of(photograph.rgb, hand)
    left = photo.as_left()
    pose = left_pose(photo, hand.pose)
    posterior = instrument.pose_posterior(pose[None])
    if instrument.others and instrument.reads_images(instrument.others):
        posterior |= instrument.image_posterior(left.to_tensor(instrument.model.crop_px), instrument.others)
    return posterior, pose


def left_pose(photo: HandCrop, xyz: Any) -> Float[torch.Tensor, "21 3"]:
    """Return the 3DPose of joints (21, 3) in the camera frame as a left hand, along the ray of its crop."""
    pose = geometry.normalise(torch.from_numpy(photo.along_ray(xyz)).float())[0]
    return geometry.mirror(pose) if photo.handedness == "right" else pose


def encode_png(rgb: ImageArray) -> bytes:
    """Return an image as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG")
    return file.getvalue()
