"""The palm in space: exact for projected joints, in any crop, proportional to the bone. Cameras of files."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from latent_hands.errors import HandsError
from latent_hands.hand import camera
from latent_hands.predictor.cameras import FILM_DIAGONAL_MM, FOCAL_SPREAD, camera_of_image, exif_focal
from latent_hands.predictor.placing import ALIKE, disagreement, joint_spread_px, place_palm

K = np.array([[500.0, 0, 310], [0, 480.0, 250], [0, 0, 1]])


def joints_mm(seed: int = 0) -> np.ndarray:
    """Return a hand: five bent rays from the palm."""
    rng, angle = np.random.default_rng(seed), np.linspace(-2.4, -0.9, 5)
    ray = np.stack([np.cos(angle), np.sin(angle), rng.normal(0, 0.5, 5)], axis=1)
    reach = np.array([115.0, 95, 75, 45])
    fingers = ray[:, None] * reach[:, None] + rng.normal(0, 6, (5, 4, 3))
    return np.concatenate([np.zeros((1, 3)), fingers.reshape(20, 3)])


def image_of(xyz_mm: np.ndarray, palm_mm: np.ndarray, camera_px: np.ndarray = K) -> np.ndarray:
    return camera.project(torch.from_numpy(xyz_mm + palm_mm), torch.from_numpy(camera_px)).numpy()


@pytest.mark.parametrize("palm", [(0.0, 0.0, 300.0), (-150.0, 90.0, 400.0), (200.0, -300.0, 2500.0)])
def test_the_palm_of_projected_joints_is_recovered(palm):
    xyz = joints_mm()
    found = place_palm(xyz, image_of(xyz, np.array(palm)), K)
    np.testing.assert_allclose(found.xyz_mm, palm, rtol=1e-6, atol=1e-5)
    assert found.spread_mm().max() < 1e-3


def test_a_crop_of_the_image_does_not_move_the_palm():
    xyz, palm = joints_mm(), np.array([80.0, -40, 500])
    uv = image_of(xyz, palm) + np.random.default_rng(1).normal(0, 2, (21, 2))
    whole = place_palm(xyz, uv, K)
    W = camera.warp_matrix(torch.tensor([330.0, 240.0], dtype=torch.float64), 150.0, 128)
    cropped = place_palm(
        xyz,
        camera.warp_points(torch.from_numpy(uv), W).numpy(),
        camera.warp_camera(torch.from_numpy(K), W).numpy(),
    )
    np.testing.assert_allclose(cropped.xyz_mm, whole.xyz_mm, rtol=1e-6)
    np.testing.assert_allclose(cropped.covariance, whole.covariance, rtol=1e-4)


def test_a_larger_bone_is_as_much_farther_away():
    xyz, palm = joints_mm(), np.array([80.0, -40, 500])
    uv = image_of(xyz, palm) + np.random.default_rng(1).normal(0, 2, (21, 2))
    near, far = place_palm(xyz, uv, K), place_palm(1.5 * xyz, uv, K)
    np.testing.assert_allclose(far.xyz_mm, 1.5 * near.xyz_mm, rtol=1e-6)
    relative = near.spread_mm(bone_spread=0.1) ** 2 - near.spread_mm() ** 2
    np.testing.assert_allclose(relative, (0.1 * near.xyz_mm) ** 2, rtol=1e-6)


def test_a_longer_focal_length_changes_the_depth_as_much():
    xyz, palm = joints_mm() / 4, np.array([80.0, -40, 500])
    uv, longer = image_of(xyz, palm), K * [[1.1], [1.1], [1]]
    longer[:2, 2] = K[:2, 2]
    found = place_palm(xyz, uv, longer).xyz_mm
    np.testing.assert_allclose(found, palm * [1, 1, 1.1], rtol=0.02)
    spread = place_palm(xyz, uv, K).spread_mm(focal_spread=0.1)
    np.testing.assert_allclose(spread, [0, 0, 50], atol=0.1)


@pytest.mark.parametrize(("errors", "alike"), [((21, 2), 1), ((1, 2), 21)])
def test_the_spread_is_that_of_so_many_joints_that_err_alike(errors: tuple[int, int], alike: int):
    """Depth and direction do not mix if the hand is around the optical axis."""
    xyz, rng = joints_mm(), np.random.default_rng(2)
    palm = np.array([0.0, 0, 500]) - xyz.mean(axis=0)
    uv, away, spread = image_of(xyz, palm), [], None
    for _ in range(200):
        found = place_palm(xyz, uv + 3 * rng.normal(size=errors), K, np.full(21, 3.0))
        away.append(found.xyz_mm - palm)
        spread = found.spread_mm()
    assert spread is not None
    np.testing.assert_allclose(np.std(away, axis=0)[:2], spread[:2] * np.sqrt(alike / ALIKE), rtol=0.15)


def test_an_uncertain_joint_counts_less():
    xyz, palm = joints_mm(), np.array([80.0, -40, 500])
    uv = image_of(xyz, palm)
    uv[8] += 60
    sigma = np.ones(21)
    sigma[8] = 1000
    np.testing.assert_allclose(place_palm(xyz, uv, K, sigma).xyz_mm, palm, atol=0.5)
    assert abs(place_palm(xyz, uv, K).xyz_mm - palm).max() > 2


def test_joints_that_no_camera_sees_still_have_a_palm_before_it():
    xyz, rng = joints_mm(), np.random.default_rng(3)
    for uv in (
        rng.uniform(0, 500, (21, 2)),
        np.full((21, 2), 100.0),
        -image_of(xyz, np.array([0, 0, 300.0])),
    ):
        found = place_palm(xyz, uv, K)
        assert np.isfinite(found.xyz_mm).all()
        assert (found.xyz_mm[2] + xyz[:, 2]).min() > 0


def test_both_pose_and_joints_in_the_image_err():
    xyz, ones = joints_mm(), np.ones(21)
    uv = xyz[:, :2] * 2 + 100  # two pixels a millimetre
    np.testing.assert_allclose(joint_spread_px(ones, 0 * ones, xyz, uv), np.sqrt(1 / 2))
    np.testing.assert_allclose(joint_spread_px(0 * ones, ones, xyz, uv), 2 / np.sqrt(3))


def test_a_pose_agrees_with_its_own_joints_at_any_place_and_scale():
    pose = joints_mm() / 40
    uv = 31 * pose[:, :2] + [100, 50]
    assert disagreement(pose, uv) == pytest.approx(0, abs=1e-9)
    assert disagreement(pose, uv + np.random.default_rng(0).normal(0, 31, (21, 2))) > 0.5
    assert disagreement(pose, -uv) > 0.5


def test_a_panorama_and_a_screenshot_have_the_camera_of_a_part_of_them():
    sizes = (100, 100), (100, 240), (100, 241), (900, 100)
    part, film, strip, tall = (camera_of_image(np.zeros((*size, 3), np.uint8), size).K for size in sizes)
    assert part[0, 0] == strip[0, 0] == tall[0, 0] == pytest.approx(film[0, 0] / 2.4)
    assert (strip[0, 2], tall[1, 2]) == (120, 449.5)
    phone = {41989: 26, 40962: 900, 40963: 100}  # EXIF data of a panorama are those of its parts
    assert exif_focal(phone, (100, 900)) is None


def test_a_given_camera_is_kept_and_a_missing_one_is_assumed():
    image = np.zeros((300, 400, 3), np.uint8)
    given, assumed = camera_of_image(image, (300, 400), K), camera_of_image(image, (300, 400))
    assert (given.source, given.focal_spread) == ("given", 0)
    np.testing.assert_array_equal(given.K, K.astype(np.float32))
    assert (assumed.source, assumed.focal_spread) == ("assumed", FOCAL_SPREAD)
    assert 2 * np.degrees(np.arctan(200 / assumed.K[0, 0])) == pytest.approx(60, abs=1e-3)
    assert tuple(assumed.K[:2, 2]) == (199.5, 149.5)
    with pytest.raises(HandsError, match="K is"):
        camera_of_image(image, (300, 400), K[:2])


def test_a_focal_length_is_a_camera_whose_axis_goes_through_the_centre():
    image = np.zeros((300, 400, 3), np.uint8)
    given = camera_of_image(image, (300, 400), focal_px=500.0)
    assert (given.source, given.focal_spread) == ("given", 0)
    assert given.K.tolist() == [[500, 0, 199.5], [0, 500, 149.5], [0, 0, 1]]
    for wrong in (0.0, -500.0, 19.0, math.nan, math.inf):
        with pytest.raises(HandsError, match=r"focal_px is .* 400x300 pixels it must be between 66.6667 and"):
            camera_of_image(image, (300, 400), focal_px=wrong)
    with pytest.raises(HandsError, match="both given"):
        camera_of_image(image, (300, 400), K, 500.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[50, 0, 199.5], [0, 50, 149.5], [0, 0, 1]], "K has the focal lengths 50 and 50 .* millimetres"),
        ([[0.8, 0, 0.5], [0, 1.1, 0.5], [0, 0, 1]], "multiply a normalised K by the image's size"),
        ([[1e7, 0, 199.5], [0, 1e7, 149.5], [0, 0, 1]], "must be between 66.6667 and 400000 pixels"),
        (np.transpose([[500, 0, 199.5], [0, 500, 149.5], [0, 0, 1]]), r"K is .* must be \(3, 3\)"),
    ],
)
def test_cameras_in_another_unit_are_refused(wrong, message):
    with pytest.raises(HandsError, match=message):
        camera_of_image(np.zeros((300, 400, 3), np.uint8), (300, 400), np.array(wrong, float))


@pytest.mark.parametrize(
    ("unusual", "message"),
    [
        (
            [[199.5, 0, 500], [0, 149.5, 500], [0, 0, 1]],
            "the principal point 500, 500 and the",
        ),
        ([[2000, 0, 400], [0, 2000, 300], [0, 0, 1]], "the principal point 400, 300:"),
        ([[300, 0, 100], [0, 300, 75], [0, 0, 1]], "the principal point 100, 75:"),
        ([[500, 199.5, 0], [0, 500, 149.5], [0, 0, 1]], "the skew 199.5"),
        ([[500, 0, 199.5], [0, 300, 149.5], [0, 0, 1]], "the different focal lengths 500 and 300"),
    ],
)
def test_cameras_of_other_images_are_announced(unusual, message, caplog):
    image = np.zeros((300, 400, 3), np.uint8)
    of_a_part = np.array([[500, 0, 440], [0, 500, 90], [0, 0, 1]], float)
    camera_of_image(image, (300, 400), K)
    camera_of_image(image, (300, 400), of_a_part)
    assert not caplog.text
    K_read = camera_of_image(image, (300, 400), np.array(unusual, float)).K
    assert message in caplog.text
    np.testing.assert_array_equal(K_read, np.array(unusual, np.float32))


@pytest.mark.parametrize("rotated", [False, True])
def test_the_focal_length_of_a_file(tmp_path, rotated):
    image, exif = Image.new("RGB", (360, 240)), Image.Exif()
    exif[0x8769] = {41989: 50}
    if rotated:
        exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    size_px = (360, 240) if rotated else (240, 360)
    with Image.open(tmp_path / "a.jpg") as opened:
        cameras = [camera_of_image(source, size_px) for source in (tmp_path / "a.jpg", opened)]
    for found in cameras:
        assert (found.source, found.focal_spread) == ("exif", 0)
        assert found.K[0, 0] == pytest.approx(500, rel=1e-4)
        assert tuple(found.K[:2, 2]) == ((size_px[1] - 1) / 2, (size_px[0] - 1) / 2)


def test_the_resolution_of_the_focal_plane_gives_the_focal_length_too():
    exif = {37386: 40.0, 41486: 2540.0, 41488: 2, 40962: 4000, 40963: 3000}  # 100 pixels a mm
    for size_px, focal_px in (((3000, 4000), 4000), ((2000, 1500), 2000)):  # then made smaller, and rotated
        found = exif_focal(exif, size_px)
        assert found is not None
        assert (found.px, found.spread) == (pytest.approx(focal_px), 0)


@pytest.mark.parametrize(
    ("size_px", "scales"),
    [
        ((3000, 4000), (1, 1)),
        ((4500, 6000), (1.5, 1.5)),  # enlarged
        ((600, 450), (0.15, 0.15)),  # made smaller, and rotated
        ((2700, 2700), (0.9, 1)),  # cropped
        ((3300, 2000), (0.825, 1)),
        ((1500, 3000), (0.75, 1)),
        ((300, 300), None),  # cropped and made smaller, or cropped more: nobody knows
    ],
)
def test_the_focal_length_of_a_cropped_image_lies_between_limits(size_px, scales):
    """The image was taken with 4000x3000 pixels and a focal length of 4000 pixels, stated in both ways."""
    film = 4 / 5 * FILM_DIAGONAL_MM
    for stated in ({41989: film}, {37386: 40.0, 41486: 2540.0}):
        found = exif_focal(stated | {40962: 4000, 40963: 3000}, size_px)
        if scales is None:
            assert found is None
        else:
            assert found is not None
            least, most = scales
            assert found.px == pytest.approx(4000 * math.sqrt(least * most))
            assert found.spread == pytest.approx(math.log(most / least) / math.sqrt(12))


@pytest.mark.parametrize(
    "exif",
    [{}, {41989: 0}, {41989: "long"}, {41989: 1}, {37386: 40.0}, {37386: 40.0, 41486: 2540.0, 41488: 9}],
)
def test_nonsense_in_a_file_is_not_believed(exif):
    assert exif_focal(exif, (300, 400)) is None
