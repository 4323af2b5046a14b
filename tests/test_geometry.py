"""The laws of the canonical frame, on random hands and on every real label that is present."""

import math

import numpy as np
import pytest
import roma
import torch
from conftest import SHARED

from latent_hands.errors import HandsError
from latent_hands.hand import geometry as geo
from latent_hands.hand.skeleton import LITTLE_MCP, MIDDLE_MCP, MIDDLE_PIP, reorder

MX, MZ = geo.Mx.double(), geo.Mz.double()


def random_hands(*batch: int) -> torch.Tensor:
    """Generic palm-rooted poses in bone units: the laws hold for any 21 points in general position."""
    xyz = torch.randn(*batch, 21, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return geo.normalise(xyz)[0]


def random_rotations(count: int) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return roma.random_rotmat(count, dtype=torch.float64)


def rhd_labels() -> torch.Tensor:
    path = SHARED / "rhd" / "evaluation" / "anno_evaluation.pickle"
    if not path.exists():
        pytest.skip(f"no RHD labels at {path}")
    safe_pickle = pytest.importorskip("latent_hands.data.formats.safe_pickle")
    xyz_m = np.stack([label["xyz"] for label in safe_pickle.load_pickle(path).values()]).astype(np.float64)
    left, right = torch.from_numpy(1000 * xyz_m).split(21, dim=1)
    return geo.to_palm(torch.cat([left, geo.mirror(right)]))


def stb_labels() -> torch.Tensor:
    paths = sorted((SHARED / "stb" / "labels").glob("*_SK.mat"))
    if not paths:
        pytest.skip(f"no STB labels at {SHARED / 'stb' / 'labels'}")
    from scipy.io import loadmat

    xyz_mm = np.concatenate([loadmat(path)["handPara"].astype(np.float64).T for path in paths])
    return reorder(torch.from_numpy(xyz_mm), "stb", "rhd")


@pytest.fixture(params=["random", "rhd", "stb"])
def poses(request) -> torch.Tensor:
    if request.param == "random":
        return random_hands(50)
    return geo.normalise(rhd_labels() if request.param == "rhd" else stb_labels())[0]


def test_palm_form_and_wrist_form_are_inverse():
    points = torch.randn(4, 21, 2)
    torch.testing.assert_close(geo.to_wrist(geo.to_palm(points)), points)
    assert (geo.to_palm(points)[:, 0] == (points[:, 0] + points[:, MIDDLE_MCP]) / 2).all()


def test_the_palm_is_visible_if_the_wrist_or_the_middle_mcp_is():
    visible = torch.zeros(3, 21, dtype=torch.bool)
    visible[0, 0] = visible[1, MIDDLE_MCP] = True
    assert geo.to_palm_visible(visible)[:, 0].tolist() == [True, True, False]


def test_normalise_gives_a_palm_rooted_pose_with_a_unit_bone():
    xyz_mm = 100 * torch.randn(2, 5, 21, 3)
    pose, bone_mm = geo.normalise(xyz_mm)
    assert (pose[..., 0, :] == 0).all()
    torch.testing.assert_close(
        (pose[..., MIDDLE_MCP, :] - pose[..., MIDDLE_PIP, :]).norm(dim=-1), torch.ones(2, 5)
    )
    torch.testing.assert_close(pose * bone_mm[..., None, None], xyz_mm - xyz_mm[..., :1, :])


def test_the_canonical_pose_satisfies_its_definition(poses):
    cpose, viewpoint = geo.canonicalise(poses)
    middle, little = cpose[:, MIDDLE_MCP], cpose[:, LITTLE_MCP]
    zero = torch.zeros(len(poses), dtype=poses.dtype)
    torch.testing.assert_close(middle[:, 1], -poses[:, MIDDLE_MCP].norm(dim=-1))
    torch.testing.assert_close(middle[:, [0, 2]], torch.stack([zero, zero], 1), atol=1e-12, rtol=0)
    torch.testing.assert_close(little[:, 2], zero, atol=1e-12, rtol=0)
    assert (little[:, 0] > 0).all()
    torch.testing.assert_close(viewpoint.det(), zero + 1)
    torch.testing.assert_close(geo.compose(cpose, viewpoint), poses)


def test_a_rotation_leaves_the_canonical_pose_and_multiplies_the_viewpoint(poses):
    turn = random_rotations(len(poses))
    cpose, viewpoint = geo.canonicalise(poses)
    turned_cpose, turned_viewpoint = geo.canonicalise(poses @ turn)
    torch.testing.assert_close(turned_cpose, cpose, atol=1e-9, rtol=0)
    torch.testing.assert_close(turned_viewpoint, viewpoint @ turn, atol=1e-9, rtol=0)


def test_a_turn_in_the_image_multiplies_the_viewpoint_on_the_right(poses):
    turn = geo.in_plane(torch.linspace(-4, 4, len(poses), dtype=torch.float64))
    _, viewpoint = geo.canonicalise(poses)
    _, turned = geo.canonicalise(poses @ turn)
    torch.testing.assert_close(turned, viewpoint @ turn, atol=1e-9, rtol=0)
    torch.testing.assert_close(turn[:, 2, 2], torch.ones(len(poses), dtype=torch.float64))


def test_a_flip_leaves_the_left_form_and_mirrors_the_viewpoint(poses):
    right = torch.ones(len(poses), dtype=torch.bool)
    cpose, viewpoint = geo.canonicalise(poses, ~right)
    flipped_cpose, flipped_viewpoint = geo.canonicalise(geo.mirror(poses), right)
    torch.testing.assert_close(flipped_cpose, cpose, atol=1e-9, rtol=0)
    torch.testing.assert_close(flipped_viewpoint, MZ @ viewpoint @ MX, atol=1e-9, rtol=0)
    torch.testing.assert_close(geo.compose(flipped_cpose, flipped_viewpoint, right), geo.mirror(poses))


def test_left_fingertips_lie_below_the_canonical_palm():
    cpose, _ = geo.canonicalise(geo.normalise(rhd_labels())[0])
    assert (cpose[:, [5, 9, 13, 17], 2] < 0).double().mean() > 0.85


def test_leading_dimensions_are_free():
    poses = random_hands(6)
    flat = geo.canonicalise(poses)
    deep = geo.canonicalise(poses.reshape(2, 3, 21, 3))
    single = geo.canonicalise(poses[0])
    torch.testing.assert_close(deep[0].flatten(0, 1), flat[0])
    torch.testing.assert_close(single[1], flat[1][0])


def test_gradients_are_exact_and_finite_even_in_the_canonical_frame():
    poses = random_hands(2).requires_grad_()
    assert torch.autograd.gradcheck(geo.canonicalise, (poses,))
    aligned = geo.canonicalise(random_hands(3).float())[0].detach().requires_grad_()
    cpose, viewpoint = geo.canonicalise(aligned)
    (cpose.square().sum() + viewpoint[..., 0].sum()).backward()
    assert aligned.grad is not None
    assert aligned.grad.isfinite().all()


@pytest.mark.parametrize("broken", ["no middle bone of the palm", "collinear", "absent"])
def test_a_degenerate_hand_is_named(broken):
    poses = random_hands(2, 4).clone()
    if broken == "collinear":
        poses[1, 2, LITTLE_MCP] = -0.3 * poses[1, 2, MIDDLE_MCP]
    else:
        poses[1, 2, MIDDLE_MCP if broken != "absent" else slice(None)] = 0
    with pytest.raises(HandsError, match="sample 1, 2"):
        geo.canonicalise(poses)
    if broken == "absent":
        with pytest.raises(HandsError, match="sample 1, 2: the middle MCP-PIP bone"):
            geo.normalise(poses)


def test_the_nearest_rotation_keeps_rotations_and_repairs_noise():
    rotations = random_rotations(20)
    torch.testing.assert_close(geo.nearest_rotation(rotations), rotations)
    torch.testing.assert_close(geo.nearest_rotation(3 * rotations), rotations)
    repaired = geo.nearest_rotation(rotations + 0.05 * torch.randn(20, 3, 3, dtype=torch.float64))
    torch.testing.assert_close(repaired.det(), torch.ones(20, dtype=torch.float64))
    assert geo.geodesic_deg(repaired, rotations).max() < 20
    any_matrices = torch.randn(50, 3, 3, dtype=torch.float64)  # half of them have a negative determinant
    torch.testing.assert_close(geo.nearest_rotation(any_matrices), roma.special_procrustes(any_matrices))


def test_the_geodesic_measures_the_angle_of_a_turn():
    angles = torch.tensor([0.0, 0.1, 1.0, 3.1], dtype=torch.float64)
    start = random_rotations(4)
    torch.testing.assert_close(geo.geodesic_deg(start, start @ geo.in_plane(angles)), angles * 180 / math.pi)


def test_the_ray_rotation_is_the_shortest_one_onto_the_optical_axis():
    K = torch.tensor([[300.0, 0, 150], [0, 310, 140], [0, 0, 1]], dtype=torch.float64).expand(7, 3, 3)
    centre = torch.rand(7, 2, dtype=torch.float64) * 300
    R = geo.ray_rotation(K, centre)
    ray = torch.cat([(centre - K[:, :2, 2]) / K[:, [0, 1], [0, 1]], torch.ones(7, 1, dtype=torch.float64)], 1)
    rotated = (ray[:, None] @ R)[:, 0] / ray.norm(dim=1, keepdim=True)
    identity = torch.eye(3, dtype=torch.float64).expand(7, 3, 3)
    torch.testing.assert_close(rotated, identity[:, 2])
    torch.testing.assert_close(R @ R.mT, identity)
    angle = torch.rad2deg((1 / ray.norm(dim=1)).acos())
    torch.testing.assert_close(geo.geodesic_deg(R, identity), angle)
    torch.testing.assert_close(geo.ray_rotation(K, K[:, :2, 2]), identity)
