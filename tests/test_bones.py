"""Bones: lengths are the given ones, directions do not change."""

import torch

from latent_hands.hand.bones import bone_vectors, mean_bone_lengths, with_bone_lengths
from latent_hands.hand.skeleton import BONES


def poses(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 21, 3, generator=torch.Generator().manual_seed(0))


def test_lengths_are_the_given_ones_and_directions_do_not_change():
    pose, lengths = poses(), torch.rand(6, 20, generator=torch.Generator().manual_seed(1)) + 0.1
    made = with_bone_lengths(pose, lengths)
    torch.testing.assert_close(bone_vectors(made).norm(dim=-1), lengths)
    directions = [torch.nn.functional.normalize(bone_vectors(p), dim=-1) for p in (pose, made)]
    torch.testing.assert_close(*directions)
    torch.testing.assert_close(made[:, 0], pose[:, 0])


def test_a_pose_with_its_own_lengths_is_itself():
    pose = poses()
    torch.testing.assert_close(with_bone_lengths(pose, bone_vectors(pose).norm(dim=-1)), pose)


def test_the_mean_is_over_the_hands_that_show_both_ends():
    pose = poses()
    visible = torch.ones(6, 21, dtype=torch.bool)
    visible[:4, 12] = False  # an end of two bones
    visible[:, 1] = False  # never visible: all hands count
    lengths = bone_vectors(pose).norm(dim=-1)
    expected = lengths.mean(dim=0)
    for i, bone in enumerate(BONES):
        if 12 in bone:
            expected[i] = lengths[4:, i].mean()
    torch.testing.assert_close(mean_bone_lengths(pose, visible), expected)
