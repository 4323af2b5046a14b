"""Labels in another joint convention: where another data set would place the joints of the same hands."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64

from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample, project
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.hand.translation import translate


def translated_sample(sample: Sample, convention: str) -> Sample:
    """Return a sample with its joints in another joint convention, in palm form.

    The pose is moved by `hand.translation`, and put onto the fingers of the label. The 2D joints are the
    projected joints. Raises HandsError if the convention of the sample, or the other one, has no table, and
    for a sample without 3D joints, side or camera.
    """
    if sample.convention == convention:
        return sample
    if sample.convention is None:
        raise HandsError(f"{sample.where} names no joint convention, so it cannot be translated; name it")
    xyz_mm = palm_xyz_mm(sample)
    if xyz_mm is None or sample.side is None or sample.K is None:
        raise HandsError(f"{sample.where} needs xyz_mm, side and K to be translated into {convention}")
    CONVENTIONS.find(sample.convention)
    right = torch.tensor([sample.side == "right"])
    pose, bone_mm = geometry.normalise(xyz_mm)
    moved = translate(pose[None], sample.convention, convention, right)[0].double().numpy()
    offset, ratio = onto(moved, pose.double().numpy())
    joints = xyz_mm[0].double().numpy() + float(bone_mm) * (offset + ratio * moved)
    with_wrist = np.concatenate([joints, 2 * joints[:1] - joints[MIDDLE_MCP : MIDDLE_MCP + 1]])
    uv_px = project(with_wrist, sample.K.astype(float)).astype(np.float32)
    return replace(
        sample,
        root="palm",
        xyz_mm=with_wrist[:21].astype(np.float32),
        uv_px=uv_px[:21],
        wrist_mm=with_wrist[21].astype(np.float32),
        wrist_px=uv_px[21],
        convention=convention,
    )


def onto(
    pose: Float64[np.ndarray, "21 3"], given: Float64[np.ndarray, "21 3"]
) -> tuple[Float64[np.ndarray, "3"], float]:
    """Return offset c and scale r that put a pose onto the fingers of another: least |c + r pose - given|."""
    fingers, seen = pose[1:], given[1:]
    centre, mean = fingers.mean(axis=0), seen.mean(axis=0)
    ratio = float(((fingers - centre) * (seen - mean)).sum() / ((fingers - centre) ** 2).sum())
    return mean - ratio * centre, ratio
