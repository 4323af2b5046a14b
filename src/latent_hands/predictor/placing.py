"""Between a photograph and what networks see and say of it: its crop, the ray through it, joints in it."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand import geometry
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.paper.modality import Batch
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.photo import ImageSource, Photo

Source = Photo | Hand | ImageSource
"""What a factor is taken from: an image, a hand, or joints (21, 3) of a left hand, palm first, any unit."""
Reads = Literal["rgb", "tag"]


def as_batch(source: Source, reads: str, crop_px: int) -> Batch:
    """A source as a batch of one left hand; an image is taken for what `reads` says."""
    if isinstance(source, np.ndarray) and source.shape == (21, 3):
        pose, _ = geometry.normalise(torch.from_numpy(source).float()[None])
        cpose, viewpoint = geometry.canonicalise(pose)
        return {"pose": pose, "cpose": cpose, "viewpoint": viewpoint}
    if isinstance(source, Hand):
        return source.batch()
    photo = source if isinstance(source, Photo) else Photo.open(source)
    return {reads: as_input(photo.as_left(), crop_px)}


def as_input(photo: Photo, crop_px: int) -> Float[Tensor, "1 3 {crop_px} {crop_px}"]:
    """The square around the box as networks see it, in [-1, 1]."""
    return photo.window(crop_px, 1.0)[None].float() / 127.5 - 1


def place(pose: Float[Tensor, "21 3"], photo: Photo) -> Float[np.ndarray, "21 2"]:
    """Joints in the image: the hand, without perspective, placed as crops are cut.

    A crop is centred on the middle MCP, and half its side is the largest distance of a joint from there along
    either axis; so the pose's own largest distance gives the pixels of a bone.
    """
    offset = pose[:, :2] - pose[MIDDLE_MCP, :2]
    bone_px = 0.5 * photo.side_px / offset.abs().max()
    return (torch.tensor(photo.centre_px) + bone_px * offset).numpy()


def towards(pose: Float[Tensor, "21 3"], photo: Photo) -> Float[Tensor, "21 3"]:
    """The pose as seen along the ray through the box, where perspective distorts it least."""
    if photo.K is None:
        return pose
    return pose @ geometry.ray_rotation(torch.from_numpy(photo.K), torch.tensor(photo.centre_px))
