"""Sources of factors: images, labelled samples, hands and joints, as batches for encoders."""

from dataclasses import replace
from typing import Literal

import torch

from latent_hands.configuration import Data
from latent_hands.data.sample import Sample
from latent_hands.hand import geometry
from latent_hands.hand.arrays import ray_rotation
from latent_hands.hand.boxes import Box
from latent_hands.hand.camera import SCENE_BONES
from latent_hands.hand.conventions import FRAMING
from latent_hands.hand.skeleton import PALM
from latent_hands.paper.modality import Batch
from latent_hands.predictor.checks import ImageSource, check_crop, pixels_of
from latent_hands.predictor.convention import in_convention
from latent_hands.predictor.given_joints import check_joints
from latent_hands.predictor.hand import Hand, check_found_in, checked_hand
from latent_hands.predictor.hand_crop import HandCrop, crop_of_sample, tag_of
from latent_hands.predictor.in_memory import joints_of

Source = HandCrop | Sample | Hand | ImageSource
"""Source of a factor: an image, a hand, or joints (21, 3) of a left hand, palm first, in any unit,
as an array or a tensor.

An image by itself is the crop of a left hand, of the size of the model's crops (`check_crop`). A `HandCrop`
states box and side.
"""
ContentReads = Literal["rgb", "tag"]
"""The modality of an image that gives the content: an image of a hand, or a tag image of a scene."""


def as_batch(source: Source, reads: str, data: Data) -> Batch:
    """Return a source as a batch of one left hand.

    `reads` is the modality of an image, `data` the section [data] of the model. Hands of another joint
    convention are translated into that of the model; joints must be in it already.
    Where the model predicts along the ray through a crop, so are hands with a camera.
    Raises HandsError as `in_convention`, `check_joints` and `checked_hand` do.
    """
    if (joints := joints_of(source)) is not None:
        check_joints(joints)
        pose, _ = geometry.normalise(torch.from_numpy(joints)[None])
        cpose, viewpoint = geometry.canonicalise(pose)
        return {"pose": pose, "cpose": cpose, "viewpoint": viewpoint}
    if isinstance(source, Hand):
        hand = checked_hand(source)
        hand = _along_ray(hand, data.crop) if data.frame == "ray" else hand
        left = in_convention(hand, data.convention).as_left()
        return {name: torch.from_numpy(array)[None] for name, array in left.items()}
    return {reads: as_crop(source, reads, data.crop, data.crop_px).as_left().to_tensor(data.crop_px)}


def as_crop(
    source: HandCrop | Sample | ImageSource, reads: str = "rgb", crop: str = "box", px: int | None = None
) -> HandCrop:
    """Return a source that is an image as a crop; a sample gives its tag image if `reads` is "tag".

    Raises HandsError for an image by itself that is not of `px` pixels a side (`check_crop`).
    """
    if isinstance(source, Sample):
        return tag_of(source, crop) if reads == "tag" else crop_of_sample(source, crop)
    if isinstance(source, HandCrop):
        return source
    opened = HandCrop.open(source)
    if px is not None:
        check_crop(opened.rgb, px)
    return opened


def crop_around(image: ImageSource, hand: Hand, crop: str) -> HandCrop:
    """Return the crop of a hand that was found in an image, as a model was trained with it.

    The square around its palm if `crop` is "scene", and the one that the hand was read in otherwise. Raises
    HandsError as `checked_hand` does, and for an image of another size than the hand was found in.
    """
    rgb = pixels_of(image)
    check_found_in(checked_hand(hand), (rgb.shape[1], rgb.shape[0]))
    return HandCrop(rgb, hand.handedness, _crop_box(hand, crop), hand.K)


def _along_ray(hand: Hand, crop: str) -> Hand:
    """Return a hand in the frame of the ray through its crop; the hand itself without a camera."""
    if hand.frame == "ray" or hand.K is None:
        return hand
    x, y, side_px, _ = _crop_box(hand, crop)
    R = ray_rotation(hand.K, (x + (side_px - 1) / 2, y + (side_px - 1) / 2))
    return replace(hand, pose=hand.pose @ R, viewpoint=hand.viewpoint @ R, frame="ray")


def _crop_box(hand: Hand, crop: str) -> Box:
    """Return the crop of a hand in its image: around its palm if `crop` is "scene"."""
    if crop != "scene":
        return hand.crop_px
    framed = in_convention(hand, FRAMING)
    pose, uv_px = (torch.from_numpy(each).float() for each in (framed.pose, framed.uv_px))
    side_px = SCENE_BONES * float(geometry.place(pose, uv_px)[2].exp())
    u, v = uv_px[PALM].tolist()
    return u + 0.5 - side_px / 2, v + 0.5 - side_px / 2, side_px, side_px
