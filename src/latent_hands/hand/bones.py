"""Bones of poses: vectors, lengths, and the same directions with other lengths."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from latent_hands.hand.skeleton import BONES, FINGERS, PALM

_PARENT, _CHILD = (list(ends) for ends in zip(*BONES, strict=True))


def bone_vectors(pose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch 20 3"]:
    """From parent to child, in the order of `BONES`; the unit is the pose's."""
    return pose[..., _CHILD, :] - pose[..., _PARENT, :]


def mean_bone_lengths(pose: Float[Tensor, "n 21 3"], visible: Bool[Tensor, "n 21"]) -> Float[Tensor, " 20"]:
    """The mean length of each bone over the hands that show both its ends; over all where none does."""
    seen = visible[:, _CHILD] & visible[:, _PARENT]
    weight = (seen | ~seen.any(dim=0)).to(pose)
    return (weight * bone_vectors(pose).norm(dim=-1)).sum(dim=0) / weight.sum(dim=0)


def with_bone_lengths(
    pose: Float[Tensor, "*batch 21 3"], lengths: Float[Tensor, "*batch 20"]
) -> Float[Tensor, "*batch 21 3"]:
    """The pose with each bone stretched to its length, from the palm outwards; directions stay.

    A bone of length 0 has no direction and stays as it is.
    """
    stretched = normalize(bone_vectors(pose), dim=-1) * lengths[..., None]
    joints = pose.clone()
    for chain in FINGERS.values():
        bones = [_CHILD.index(joint) for joint in chain]
        joints[..., chain, :] = pose[..., [PALM], :] + stretched[..., bones, :].cumsum(dim=-2)
    return joints
