"""From an image to a hand: mirrors, rotations, units, the place in the image, given and assumed values."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hand
from PIL import Image
from tiny_models import ESTIMATION, PX, SYNTHESIS, WITHOUT_TAGS, noise_image, tiny_model

from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.predictor import Hand, HandCrop, Model, crop_of_sample, tag_of
from latent_hands.predictor.checks import bone_of, box_of, camera_of, pixels_of

K = np.array([[90, 0, 41], [0, 90, 28], [0, 0, 1]], np.float32)
BOX = (10.0, 6.0, 44.0, 40.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(ESTIMATION)


def same(a: Hand, b: Hand, atol: float = 1e-5) -> bool:
    names = ("pose", "cpose", "viewpoint", "uv_px")
    return all(np.allclose(getattr(a, n), getattr(b, n), atol=atol * 10 ** (n == "uv_px")) for n in names)


def test_outputs_have_the_shapes_of_the_protocol_and_viewpoints_are_rotations(model: Model):
    outputs = model.outputs(torch.rand(3, 3, PX, PX) * 2 - 1)
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {
        "pose": (3, 21, 3),
        "cpose": (3, 21, 3),
        "viewpoint": (3, 3, 3),
    }
    V = outputs["viewpoint"]
    assert torch.allclose(V @ V.mT, torch.eye(3).expand(3, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(V), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("graph", [SYNTHESIS, WITHOUT_TAGS])
def test_graphs_without_canonical_decoders_split_their_pose(graph: str):
    outputs = tiny_model(graph).outputs(torch.rand(2, 3, PX, PX) * 2 - 1)
    assert torch.allclose(
        geometry.compose(outputs["cpose"], outputs["viewpoint"]), outputs["pose"], atol=1e-4
    )


@pytest.mark.parametrize("frame", ["camera", "ray"])
@pytest.mark.parametrize("rotations", [1, 4])
def test_the_mirrored_image_of_the_other_hand_is_the_mirrored_hand(frame: str, rotations: int):
    model, image = tiny_model(ESTIMATION, frame=frame), noise_image()
    left = model.estimate(HandCrop.open(image, "left", BOX, K), rotations=rotations)
    mirrored_K = K.copy()
    mirrored_K[0, 2] = image.shape[1] - 1 - K[0, 2]
    box = (image.shape[1] - BOX[0] - BOX[2], *BOX[1:])
    right = model.estimate(
        HandCrop.open(image[:, ::-1].copy(), "right", box, mirrored_K), rotations=rotations
    )
    Mx, Mz = geometry.Mx.numpy(), geometry.Mz.numpy()
    assert np.array_equal(right.pose, left.pose @ Mx)
    assert np.array_equal(right.cpose, left.cpose)
    assert np.array_equal(right.viewpoint, Mz @ left.viewpoint @ Mx)
    assert np.allclose(right.uv_px, [image.shape[1] - 1, 0] + left.uv_px * [-1, 1], atol=1e-4)
    assert {name: np.array_equal(a, right.as_left()[name]) for name, a in left.as_left().items()} == {
        "pose": True,
        "cpose": True,
        "viewpoint": True,
    }


def test_only_averaged_rotations_make_the_estimate_rotate_with_the_image(model: Model):
    image, R = noise_image(60, 60), geometry.in_plane(torch.pi / 2).numpy()

    def broken_by(rotations: int) -> tuple[float, ...]:
        upright = model.estimate(HandCrop.open(image), rotations=rotations)
        turned = model.estimate(HandCrop.open(np.rot90(image, -1).copy()), rotations=rotations)
        pairs = [(turned.pose, upright.pose @ R), (turned.viewpoint, upright.viewpoint @ R)]
        return tuple(float(np.abs(a - b).max()) for a, b in [*pairs, (turned.cpose, upright.cpose)])

    assert max(broken_by(4)) < 0.02  # the image's bytes are rounded
    assert min(broken_by(1)[:2]) > 0.2


def test_millimetres_are_bones_times_the_bone_that_was_given(model: Model):
    image = noise_image()
    given, assumed = (model.estimate(image, box=BOX, bone_mm=bone) for bone in (50.0, None))
    assert np.allclose(given.xyz_mm, 50 * given.pose)
    assert np.array_equal(given.pose, assumed.pose)
    assert (given.bone_mm, given.bone_mm_assumed) == (50.0, False)
    assert (assumed.bone_mm, assumed.bone_mm_assumed) == (40.0, True)
    assert np.allclose(given.wrist_mm, 2 * given.xyz_mm[0] - given.xyz_mm[12])


def test_a_crop_does_not_depend_on_where_it_lies_in_the_image(model: Model):
    image = noise_image(40, 40)
    wide = np.full((90, 120, 3), 128, np.uint8)
    wide[20:60, 50:90] = image
    alone = model.estimate(HandCrop.open(image))
    within = model.estimate(HandCrop.open(wide, "left", (50.0, 20.0, 40.0, 40.0)))
    assert np.allclose(within.pose, alone.pose, atol=1e-5)
    assert np.allclose(within.uv_px, alone.uv_px + np.array([50, 20]), atol=1e-3)


def test_paths_pillow_images_and_arrays_are_the_same_image(model: Model, tmp_path: Path):
    image = noise_image()
    Image.fromarray(image).save(tmp_path / "hand.png")
    hands = [
        model.estimate(HandCrop.open(each)) for each in (image, Image.fromarray(image), tmp_path / "hand.png")
    ]
    assert all(same(hands[0], hand, 0) for hand in hands)


def test_a_hand_without_perspective_is_placed_where_it_was():
    """Under weak perspective the crop's rule is invertible: pose and crop give back the 2D joints."""
    generator = torch.Generator().manual_seed(0)
    pose, _ = geometry.normalise(geometry.to_palm(torch.randn(21, 3, generator=generator)))
    uv_px = torch.tensor([300.0, 200.0]) + 31.0 * pose[:, :2]
    centre, side_px = camera.crop_box(uv_px, torch.ones(21, dtype=torch.bool), (600, 600))
    box = (*(centre + 0.5 - side_px / 2).tolist(), float(side_px), float(side_px))
    photo = HandCrop.open(np.zeros((600, 600, 3), np.uint8), "left", box)
    assert 50 < side_px < 256
    assert np.allclose(photo.place(pose), uv_px, atol=1e-2)


def test_a_model_of_the_ray_frame_needs_the_camera_to_predict_in_the_camera_frame():
    model, image = tiny_model(ESTIMATION, frame="ray"), noise_image()
    ray = model.estimate(HandCrop.open(image, "left", BOX))
    camera_frame = model.estimate(HandCrop.open(image, "left", BOX, K))
    assert (ray.frame, camera_frame.frame) == ("ray", "camera")
    R = geometry.ray_rotation(
        torch.from_numpy(K), torch.tensor(HandCrop.open(image, "left", BOX).centre_px)
    ).numpy()
    assert np.allclose(camera_frame.pose @ R, ray.pose, atol=1e-4)


def test_a_hand_survives_json(model: Model):
    hand = model.estimate(HandCrop.open(noise_image(), "right", BOX, K, 37.5))
    again = Hand.from_json(hand.to_json(indent=1))
    assert same(hand, again)
    assert (again.handedness, again.bone_mm, again.bone_mm_assumed, again.frame) == (
        "right",
        37.5,
        False,
        "camera",
    )
    assert again.crop_px == (10, 4, 44, 44)
    fields = json.loads(hand.to_json())
    assert fields["joints"][0] == "palm"
    assert len(fields["joints"]) == 21
    assert np.allclose(fields["xyz_mm"], hand.xyz_mm, atol=1e-3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pose_bones": 3}'])
def test_other_json_is_no_hand(text: str):
    with pytest.raises(HandsError, match="hand"):
        Hand.from_json(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"handedness": "lft"}, 'did you mean "left"'),
        ({"bone_mm": 0.0}, "bone_mm is 0.0"),
        ({"bone_mm": 4.4}, r"bone_mm is 4\.4, but must be between 15 and 80 mm"),
        ({"bone_mm": 440.0}, "bone_mm is 440.0, but must be between 15 and 80 mm"),
        ({"bone_mm": float("nan")}, "bone_mm is nan"),
        ({"box": (0.0, 0.0, 0.0, 10.0)}, "at least 1 pixel"),
        ({"box": (0.1, 0.1, 0.8, 0.8)}, "shares of the image"),
        ({"box": (10.0, 10.0, 1e9, 1e9)}, "too large for the image of 80x60"),
        ({"box": (900.0, 0.0, 10.0, 10.0)}, "lies outside the image of 80x60"),
        ({"box": (1.0, 2.0, 3.0)}, "x,y,width,height"),
        ({"rotations": 0}, "rotations"),
        ({"rotations": 65}, "rotations is 65; it must be between 1 and 64"),
        ({"K": K[:2]}, r"must be \(3, 3\)"),
        ({"K": K * np.nan}, r"must be \(3, 3\)"),
        ({"K": -K}, "fx and fy above 0"),
        ({"K": K.T}, "fx and fy above 0"),
        ({"K": K / np.array([[80], [60], [1]])}, r"focal lengths 1\.125 and 1\.5 .* 80x60 pixels"),
    ],
)
def test_wrong_options_are_refused(model: Model, options: dict, message: str):
    with pytest.raises(HandsError, match=message):
        model.estimate(noise_image(), **{"box": BOX} | options)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((8, 8, 3)), "255 [*] image"),
        (np.zeros((0, 8, 3), np.uint8), ""),
        (np.zeros((8, 8, 2), np.uint8), ""),
        (np.zeros((3, 8, 8), np.uint8), "transpose"),
        (np.zeros((2, 8, 8, 3), np.uint8), "one image at a time"),
        (np.zeros((21, 2), np.float32), "joints have the shape"),
        (torch.zeros(3, 8, 8), "255 [*] image"),
    ],
)
def test_other_arrays_are_not_images(model: Model, array: np.ndarray, hint: str):
    with pytest.raises(HandsError, match=f"an image must be uint8.*{hint}"):
        model.estimate(array)


def test_an_array_and_a_tensor_are_the_image_that_pillow_opens():
    rgb = noise_image()
    grey, rgba = rgb[..., 0], np.dstack([rgb, rgb[..., :1]])
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    for image in (rgb, bgr[..., ::-1], torch.from_numpy(rgb).permute(2, 0, 1)):
        assert np.array_equal(pixels_of(image), rgb)
    for image in (grey, grey[..., None], torch.from_numpy(grey), torch.from_numpy(grey)[None]):
        assert np.array_equal(pixels_of(image), np.dstack([grey] * 3))
    assert np.array_equal(pixels_of(rgba), pixels_of(Image.fromarray(rgba)))


def test_a_photo_keeps_its_pixels_when_a_tensor_is_used_again():
    tensor = torch.from_numpy(noise_image()).permute(2, 0, 1)
    photo = HandCrop.open(tensor)
    tensor.zero_()
    assert np.array_equal(photo.rgb, noise_image())


def test_values_of_other_types_are_refused():
    with pytest.raises(HandsError, match="one at a time, not a list"):
        pixels_of([noise_image()])
    for wrong, hint in (("https://a.b/c.jpg", "download the image"), (b"bytes", "BytesIO")):
        with pytest.raises(HandsError, match=hint):
            pixels_of(wrong)
    with pytest.raises(HandsError, match=r"clip\.mp4 is a video; Model\.follow reads videos"):
        pixels_of("clip.mp4")
    with pytest.raises(HandsError, match="is a folder; give its images one at a time"):
        pixels_of(Path(__file__).parent)
    for box in (None, "10,6,44,40", [1, 2, 3, "x"], [1, [2], 3, 4]):
        with pytest.raises(HandsError, match="x,y,width,height in pixels"):
            box_of(box, 80, 60)
    for K in ("camera", [[1, 2], [3]]):
        with pytest.raises(HandsError, match="K is "):
            camera_of(K, 80, 60)
    for bone_mm in ("long", [40.0, 40.0]):
        with pytest.raises(HandsError, match="bone_mm is "):
            bone_of(bone_mm)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_an_absent_device_is_refused(device: str):
    with pytest.raises(HandsError, match=f'device "{device}" cannot be used'):
        Model.load("estimation", device)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("frame", "camra", 'did you mean "camera"'),
        ("frame", 3, "not the JSON of a hand"),
        ("bone_mm", 0, "bone_mm.* is 0.0"),
        ("bone_mm", float("nan"), "bone_mm.* is nan"),
        ("bone_mm", None, "not the JSON of a hand"),
    ],
)
def test_an_impossible_field_is_refused(model: Model, field: str, value: object, message: str):
    fields = json.loads(model.estimate(HandCrop.open(noise_image())).to_json())
    with pytest.raises(HandsError, match=message):
        Hand.from_json(json.dumps(fields | {field: value}))


def test_a_labelled_sample_brings_its_own_crop_bone_and_camera(tmp_path: Path):
    sample = painted_hand(tmp_path, "0", "right")
    photo = crop_of_sample(sample)
    palm = geometry.to_palm(torch.from_numpy(sample.xyz_mm))
    assert photo.bone_mm == pytest.approx(float((palm[12] - palm[11]).norm()), rel=1e-5)
    assert np.allclose(photo.centre_px, sample.uv_px[12], atol=1e-3)
    assert photo.handedness == "right"
    assert np.array_equal(photo.K, sample.K)


def test_a_tag_without_a_scene_window_is_cut_as_its_sample(tmp_path):
    sample = painted_hand(tmp_path, "hand")
    tagged = dataclasses.replace(sample, tag=sample.image)
    photo, tag = crop_of_sample(tagged, "scene"), tag_of(tagged)
    assert tag.box_px == photo.box_px
    assert (tag.rgb == photo.rgb).all()
    with pytest.raises(HandsError, match="has no tag image"):
        tag_of(sample)
