"""The bones of poses: vectors, mean lengths, and poses with given bone lengths."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from latent_hands.hand.skeleton import BONES, FINGERS, PALM

_PARENT, _CHILD = (list(ends) for ends in zip(*BONES, strict=True))


def bone_vectors(pose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch 20 3"]:
    """Return child - parent for each bone, in the order of `skeleton.BONES` and the unit of `pose`."""
    return pose[..., _CHILD, :] - pose[..., _PARENT, :]


def mean_bone_lengths(pose: Float[Tensor, "n 21 3"], visible: Bool[Tensor, "n 21"]) -> Float[Tensor, " 20"]:
    """Return the mean length of each bone over the hands in which both of its ends are visible.

    A bone that no hand shows is averaged over all hands. The unit is that of `pose`.
    """
    both = visible[:, _CHILD] & visible[:, _PARENT]
    weight = (both | ~both.any(dim=0)).to(pose)
    return (weight * bone_vectors(pose).norm(dim=-1)).sum(dim=0) / weight.sum(dim=0)


def with_bone_lengths(
    pose: Float[Tensor, "*batch 21 3"], lengths: Float[Tensor, "*batch 20"]
) -> Float[Tensor, "*batch 21 3"]:
    """Return the pose with the given bone lengths and unchanged bone directions; joint 0 does not move.

    A bone of length 0 has no direction and keeps its length.
    """
    stretched = normalize(bone_vectors(pose), dim=-1) * lengths[..., None]
    joints = pose.clone()
    for chain in FINGERS.values():
        bones = [_CHILD.index(joint) for joint in chain]
        joints[..., chain, :] = pose[..., [PALM], :] + stretched[..., bones, :].cumsum(dim=-2)
    return joints
