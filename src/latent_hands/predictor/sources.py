"""Sources of factors: images, labelled samples, hands and joints, as batches for encoders."""

from typing import Literal

import torch

from latent_hands.configuration import Data
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.camera import SCENE_BONES
from latent_hands.hand.conventions import FRAMING
from latent_hands.hand.skeleton import PALM
from latent_hands.paper.modality import Batch
from latent_hands.predictor.checks import ImageSource, pixels_of
from latent_hands.predictor.convention import in_convention
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.in_memory import joints_of
from latent_hands.predictor.photo import Photo, photo_of, tag_of

Source = Photo | Sample | Hand | ImageSource
"""Source of a factor: an image, a hand, or joints (21, 3) of a left hand, palm first, in any unit,
as an array or a tensor.

An image is read as the crop of a left hand, and must be square. A `Photo` states box and side.
"""
ContentReads = Literal["rgb", "tag"]
"""The modality of an image that gives the content: an image of a hand, or a tag image of a scene."""


def as_batch(source: Source, reads: str, data: Data) -> Batch:
    """Return a source as a batch of one left hand.

    `reads` is the modality of an image, `data` the section [data] of the model. Hands of another joint
    convention are translated into that of the model; joints must be in it already.
    Raises HandsError as `in_convention` does.
    """
    if (joints := joints_of(source)) is not None:
        pose, _ = geometry.normalise(torch.from_numpy(joints)[None])
        cpose, viewpoint = geometry.canonicalise(pose)
        return {"pose": pose, "cpose": cpose, "viewpoint": viewpoint}
    if isinstance(source, Hand):
        left = in_convention(source, data.convention).as_left()
        return {name: torch.from_numpy(array)[None] for name, array in left.items()}
    return {reads: as_photo(source, reads, data.crop).as_left().crop(data.crop_px)}


def as_photo(source: Photo | Sample | ImageSource, reads: str = "rgb", crop: str = "box") -> Photo:
    """Return a source that is an image as a photo; a sample gives its tag image if `reads` is "tag".

    Raises HandsError for an image that is not square, because it is hardly the crop of a hand.
    """
    if isinstance(source, Sample):
        return tag_of(source, crop) if reads == "tag" else photo_of(source, crop)
    if isinstance(source, Photo):
        return source
    photo = Photo.open(source)
    height, width = photo.rgb.shape[:2]
    if width != height:
        raise HandsError(
            f"the crop of a hand is an image of {width}x{height} pixels, but crops are square; of a "
            'photograph, give model.photo_of(image, hand) with a hand that lh.load("estimation").find(image) '
            "returned; lh.Photo.open(image) takes the whole image as the crop"
        )
    return photo


def photo_around(image: ImageSource, hand: Hand, crop: str) -> Photo:
    """Return the photo of a hand that was found in an image, with the crop that a model was trained for.

    The square around its palm if `crop` is "scene", and the one that the hand was read in otherwise.
    """
    rgb = pixels_of(image)
    if crop != "scene":
        return Photo(rgb, hand.handedness, hand.crop_px, hand.K)
    framed = in_convention(hand, FRAMING)
    pose, uv_px = (torch.from_numpy(each).float() for each in (framed.pose, framed.uv_px))
    side_px = SCENE_BONES * float(geometry.place(pose, uv_px)[2].exp())
    u, v = uv_px[PALM].tolist()
    box = (u + 0.5 - side_px / 2, v + 0.5 - side_px / 2, side_px, side_px)
    return Photo(rgb, hand.handedness, box, hand.K)
