"""The warp moves image, points and camera together; crops do not depend on what they must not."""

import pytest
import torch

from latent_hands.hand.camera import (
    crop_box,
    palm_box,
    project,
    warp_camera,
    warp_images,
    warp_matrix,
    warp_points,
    warp_rotation,
)
from latent_hands.hand.geometry import Mx, in_plane, nearest_rotation, ray_rotation

F64 = torch.float64


def cameras(count: int, squeeze: float = 1.0) -> torch.Tensor:
    K = torch.tensor([[280.0, 0, 158], [0, 280 * squeeze, 163], [0, 0, 1]], dtype=F64)
    return K.expand(count, 3, 3)


def points_mm(count: int) -> torch.Tensor:
    spread = torch.randn(count, 21, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    return 40 * spread + torch.tensor([120.0, -80.0, 600.0], dtype=F64)


def warps(count: int, **options) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    centre = 320 * torch.rand(count, 2, generator=generator, dtype=F64)
    side_px = 60 + 100 * torch.rand(count, generator=generator, dtype=F64)
    return warp_matrix(centre, side_px, 128, **options)


@pytest.mark.parametrize("squeeze", [1.0, 0.9])
@pytest.mark.parametrize("flip", [False, True])
def test_the_warped_camera_shows_the_turned_points_where_the_warp_puts_their_pixels(squeeze, flip):
    K, xyz_mm = cameras(9, squeeze), points_mm(9)
    angle = torch.linspace(-3, 3, 9, dtype=F64)
    W = warps(9, angle=angle, scale=angle.exp() ** 0.1, shift=torch.randn(9, 2, dtype=F64), flip=flip)
    turned = xyz_mm @ warp_rotation(W)
    torch.testing.assert_close(project(turned, warp_camera(K, W)), warp_points(project(xyz_mm, K), W))


def test_the_warp_turns_points_in_plane_after_mirroring_them():
    angle = torch.linspace(-3, 3, 5, dtype=F64)
    flip = torch.tensor([True, False, True, False, True])
    expected = torch.where(flip[:, None, None], Mx.double() @ in_plane(angle), in_plane(angle))
    torch.testing.assert_close(warp_rotation(warps(5, angle=angle, flip=flip)), expected)


@pytest.mark.parametrize("flip", [False, True])
def test_a_camera_with_square_pixels_keeps_its_form(flip):
    K = warp_camera(cameras(5), warps(5, angle=torch.linspace(-3, 3, 5, dtype=F64), flip=flip))
    torch.testing.assert_close(K[:, 0, 0], K[:, 1, 1])
    assert (K[:, 0, 0] > 0).all()
    assert K[:, [0, 1, 2, 2], [1, 0, 0, 1]].abs().max() < 1e-10


def test_the_square_fills_the_crop():
    W = warp_matrix(torch.tensor([50.0, 30.0]), 20.0, 64)
    corners = torch.tensor([[40.0, 20.0], [60.0, 40.0], [50.0, 30.0]])
    torch.testing.assert_close(
        warp_points(corners, W), torch.tensor([[-0.5, -0.5], [63.5, 63.5], [31.5, 31.5]])
    )


def test_scale_magnifies_and_shift_moves_in_crop_pixels():
    centre = torch.tensor([[50.0, 30.0]])
    W = warp_matrix(centre, 20.0, 64, scale=2.0, shift=torch.tensor([[3.0, -1.0]]))
    right = torch.tensor([[[50.0, 30.0], [51.0, 30.0]]])
    torch.testing.assert_close(warp_points(right, W), torch.tensor([[[34.5, 30.5], [40.9, 30.5]]]))


def test_a_flip_of_the_whole_image_mirrors_its_camera():
    size = 320
    K, xyz_mm = cameras(1), points_mm(1)
    W = warp_matrix(torch.full((1, 2), (size - 1) / 2, dtype=F64), float(size), size, flip=True)
    mirrored = K.clone()
    mirrored[:, 0, 2] = size - 1 - K[:, 0, 2]
    torch.testing.assert_close(warp_camera(K, W), mirrored)
    u = warp_points(project(xyz_mm, K), W)[..., 0]
    torch.testing.assert_close(u, size - 1 - project(xyz_mm, K)[..., 0])


def test_images_move_with_their_points():
    images = torch.rand(3, 2, 17, 23) * 2 - 1
    whole = warp_matrix(torch.tensor([11.0, 8.0]).expand(3, 2), 17.0, 17)
    torch.testing.assert_close(warp_images(images, whole, 17), images[..., 3:20])
    flipped = warp_matrix(torch.tensor([11.0, 8.0]).expand(3, 2), 17.0, 17, flip=True)
    torch.testing.assert_close(warp_images(images, flipped, 17), images[..., 3:20].flip(-1))
    quarter = warp_matrix(torch.tensor([11.0, 8.0]).expand(3, 2), 17.0, 17, angle=torch.pi / 2)
    clockwise = images[..., 3:20].rot90(-1, dims=(-2, -1))
    torch.testing.assert_close(warp_images(images, quarter, 17), clockwise, atol=1e-4, rtol=0)


def test_mid_grey_lies_beyond_the_border_only():
    outside = warp_matrix(torch.tensor([[100.0, 100.0]]), 10.0, 8)
    assert (warp_images(torch.ones(1, 3, 20, 20), outside, 8) == 0).all()
    inside = warp_matrix(torch.tensor([[9.5, 9.5]]), 18.0, 8)
    torch.testing.assert_close(warp_images(torch.ones(1, 3, 20, 20), inside, 8), torch.ones(1, 3, 8, 8))


def test_in_the_ray_frame_a_crop_off_the_axis_looks_like_a_centred_one():
    K, xyz_mm = cameras(40), points_mm(40) + torch.randn(40, 1, 3, dtype=F64) * 30
    centre = project(xyz_mm[:, :1], K)
    crop = project(xyz_mm, K) - centre
    R = ray_rotation(K, centre[:, 0])
    centred = torch.diag(torch.tensor([280.0, 280.0, 1.0], dtype=F64)).expand(40, 3, 3)

    def misfit(palm_relative: torch.Tensor) -> torch.Tensor:
        """Mean distance in pixels between the crop and the hand at the same distance on the optical axis."""
        distance = xyz_mm[:, :1].norm(dim=-1, keepdim=True)
        centred_mm = palm_relative + distance * torch.tensor([0.0, 0.0, 1.0], dtype=F64)
        projected = project(centred_mm, centred)
        size = crop.norm(dim=-1).mean(1) / projected.norm(dim=-1).mean(1)
        return (crop - projected * size[:, None, None]).norm(dim=-1).mean()

    relative = xyz_mm - xyz_mm[:, :1]
    assert misfit(relative @ R) < 0.25 * misfit(relative)
    torch.testing.assert_close(relative @ R @ R.mT, relative)


def hand_px(low: tuple[float, float], high: tuple[float, float], middle_mcp: tuple[float, float]):
    uv_px = torch.tensor(middle_mcp).repeat(21, 1)
    uv_px[1], uv_px[5] = torch.tensor(low), torch.tensor(high)
    return uv_px, torch.ones(21, dtype=torch.bool)


@pytest.mark.parametrize(
    ("low", "high", "side_px"),
    [
        ((100, 110), (160, 150), 120),  # 2 * (160 - 100), the widest of the four
        ((95, 97), (110, 104), 50),  # 30 px: clamped from below
        ((-300, 100), (110, 110), 200),  # clipped at the image's left border
        ((100, 100), (120, 5000), 256),  # clipped at 240, 2 * 140 > 256: no shrinking
    ],
)
def test_the_crop_box_is_twice_the_farthest_visible_joint(low, high, side_px):
    centre, side = crop_box(*hand_px(low, high, (100.0, 100.0)), (240, 320))
    assert centre.tolist() == [100, 100]
    assert side == pytest.approx(side_px)


def test_the_crop_box_ignores_what_is_invisible():
    uv_px, visible = hand_px((10, 10), (160, 150), (100.0, 100.0))
    visible[1] = False
    assert crop_box(uv_px, visible, (240, 320))[1] == pytest.approx(120)
    centre, side = crop_box(uv_px.expand(2, 21, 2), torch.zeros(2, 21, dtype=torch.bool), (240, 320))
    assert side.tolist() == pytest.approx([200, 200])
    assert centre.tolist() == [[100, 100]] * 2


def test_no_pose_and_no_viewpoint_move_the_palm_box():
    """Any rotation about the palm, and any bend of joints beyond the middle bone."""
    K, xyz_mm = cameras(9), points_mm(9)
    palm = xyz_mm[:, :1]
    turned = (xyz_mm - palm) @ nearest_rotation(torch.randn(9, 3, 3, dtype=F64)) + palm
    turned[:, 1:11] += 20
    for one, other in zip(palm_box(xyz_mm, K), palm_box(turned, K), strict=True):
        torch.testing.assert_close(one, other)
