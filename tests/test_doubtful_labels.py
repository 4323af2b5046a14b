"""2D labels that cannot be right, or that have a meaning which is guessed, are refused or announced."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coco_files import plain_content, writer
from conftest import SHARED
from PIL import Image
from posed_hands import SIZE_PX, K, posed_hands

from latent_hands.data import open_data, read_stb
from latent_hands.data.crops import build_windows
from latent_hands.data.label_places import check_in_images, check_order_in_images
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.data.sample import project, with_wrist
from latent_hands.doctor import check_set
from latent_hands.errors import HandsError
from latent_hands.hand.listing import listings, shorter_fingers, shorter_listing
from latent_hands.hand.skeleton import FINGERS, JOINTS, reorder

HANDS = posed_hands(12, 3)
UV_PX = np.stack([each.uv_px for each in HANDS])


@pytest.fixture
def content():
    return plain_content()


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)


def listed(fingers: list[int]) -> list[int]:
    """Return joints in RHD's order with the fingers in another order."""
    return [0, *(joint for finger in fingers for joint in range(1 + 4 * finger, 5 + 4 * finger))]


ORDERS = {
    "little to thumb": [4, 3, 2, 1, 0],
    "thumb last": [1, 2, 3, 4, 0],
    "index and middle": [0, 2, 1, 3, 4],
    "ring and little": [0, 1, 2, 4, 3],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_fingers_in_another_order_are_named(order):
    assert tuple(tuple(FINGERS)[i] for i in order) in (shorter_fingers(UV_PX[:, listed(order)]) or ())


@pytest.mark.parametrize("seed", range(5))
def test_fingers_in_their_order_are_not_named(seed):
    assert shorter_fingers(np.stack([each.uv_px for each in posed_hands(16, seed)])) is None


def test_points_that_are_no_hands_have_no_order():
    for seed in range(20):
        points = np.random.default_rng(seed).uniform(0, 60, (12, 21, 2))
        assert shorter_fingers(points) is None


def test_frames_of_one_view_do_not_tell_the_order():
    """A hand whose thumb points at the camera may look like any order, in all frames of a video."""
    noise = np.random.default_rng(0).normal(0, 1, (40, 21, 2))
    assert shorter_fingers(UV_PX[:1, listed([4, 3, 2, 1, 0])] + noise) is None
    for uv_px in UV_PX[:, np.argsort(listings()["mediapipe"].places)]:
        assert shorter_listing(uv_px + noise) is None


@pytest.mark.parametrize("name", sorted(listings().keys() - {"rhd", "little-first"}))
def test_joints_in_another_order_are_named(name):
    uv_px = np.stack([each.uv_px for each in posed_hands(40, 1)])
    assert shorter_listing(uv_px) is None
    assert shorter_listing(uv_px[:, np.argsort(listings()[name].places)]) not in (None, "rhd")


@pytest.mark.skipif(not (SHARED / "stb").is_dir(), reason=f"STB is not at {SHARED}")
@pytest.mark.parametrize("count", [8, 60, 260])
def test_frames_of_a_real_video_are_in_their_order(count):
    """Frames follow each other: a curled finger or a foreshortened hand stays for many of them."""
    samples = read_stb(SHARED / "stb", "evaluation", views=("left",), images=False)
    for start in range(0, len(samples) - count, 75):
        check_order_in_images(samples[start : start + count])
        check_order_in_images([with_wrist(each) for each in samples[start : start + count]])


def coco_set(root: Path, change=lambda label, keypoints: None) -> Path:
    """Write hands that have 2D joints alone; `change` changes an annotation and (21, 3) keypoints."""
    (root / "evaluation").mkdir()
    (root / "annotations").mkdir()
    rng, content = np.random.default_rng(0), {"images": [], "annotations": []}
    for number, hand in enumerate(HANDS, 1):
        noise = rng.integers(0, 256, (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.uint8)
        Image.fromarray(noise).save(root / f"evaluation/{number}.png")
        size = {"width": SIZE_PX[0], "height": SIZE_PX[1]}
        content["images"].append({"id": number, "file_name": f"{number}.png", **size})
        keypoints = np.column_stack([reorder(hand.uv_px, "rhd", "mediapipe"), np.full(21, 2)]).astype(float)
        low, high = keypoints[:, :2].min(axis=0), keypoints[:, :2].max(axis=0)
        label = {"id": number, "image_id": number, "category_id": 1, "side": hand.handedness}
        label["bbox"] = [*low.tolist(), *(high - low).tolist()]
        changed = change(label, keypoints)
        label["keypoints"] = (keypoints if changed is None else changed).ravel().tolist()
        content["annotations"].append(label)
    content["categories"] = [{"id": 1, "name": "hand", "keypoints": KEYPOINTS}]
    (root / "annotations/evaluation.json").write_text(json.dumps(content))
    return root


def read(root: Path):
    return build_windows(open_data("coco", root, "evaluation"), window_px=16)


def test_right_labels_are_used_without_a_word(tmp_path, caplog):
    assert len(read(coco_set(tmp_path))) == 12
    assert not caplog.text


def test_fingers_in_another_order_are_refused_and_reported(tmp_path):
    root = coco_set(tmp_path, lambda _, keypoints: keypoints[listed([4, 3, 2, 1, 0])])
    message = (
        "are not in the order thumb, index, middle, ring, little: .* look like .*little, ring, middle, index"
    )
    with pytest.raises(HandsError, match=message):
        read(root)
    problems = [each.message for each in check_set("coco", root, ["evaluation"]).problems]
    assert any("are not in the order thumb, index" in text for text in problems)


FORMS = {
    "relative to the box": lambda box, uv: uv - box[:2],
    "shares of the box in 256ths": lambda box, uv: (uv - box[:2]) / box[2:] * 256,
    "of a smaller image": lambda box, uv: uv * 0.7,
    "mirrored": lambda box, uv: [SIZE_PX[0] - 1, 0] + uv * [-1, 1],
    "turned": lambda box, uv: np.column_stack([SIZE_PX[1] - 1 - uv[:, 1], uv[:, 0]]),
    "v before u": lambda box, uv: uv[:, ::-1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_keypoints_outside_of_their_boxes_are_refused(tmp_path, form):
    def change(label, keypoints):
        keypoints[:, :2] = form(np.array(label["bbox"]), keypoints[:, :2])

    with pytest.raises(HandsError, match=r'of the keypoints lie in the "bbox" of their hands'):
        read(coco_set(tmp_path, change))


@pytest.mark.parametrize("box", [None, [0, 0, 0, 0], "unknown", [1, 2, 3]])
def test_boxes_that_state_nothing_are_ignored(tmp_path, box):
    assert len(read(coco_set(tmp_path, lambda label, _: label.update(bbox=box)))) == 12


@pytest.mark.parametrize("place", [0, -1, None])
def test_joints_without_a_place_are_not_labelled(content, write, caplog, place):
    """Tools write (0, 0) or (-1, -1), with any flag, or put all new joints at one place."""
    joints = [3, 8] if place is not None else [3, 8, 9, 10, 11, 12, 13]
    keypoints = np.array(content["annotations"][0]["keypoints"]).reshape(21, 3)
    keypoints[:, 2] = 2
    keypoints[joints, :2] = 30 if place is None else place
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    (sample,) = open_data("coco", write(content), "training")
    unlabelled = np.flatnonzero(~reorder(sample.labelled[:, None], "rhd", "mediapipe").ravel())
    assert unlabelled.tolist() == joints
    assert f"{len(joints)} of 21 joints are at (0, 0), at (-1, -1) or where others" in caplog.text


def test_joints_of_one_finger_may_be_at_one_place(content, write, caplog):
    keypoints = np.array(content["annotations"][0]["keypoints"]).reshape(21, 3)
    keypoints[:, 2] = 2
    keypoints[5:9, :2] = 30
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    assert open_data("coco", write(content), "training")[0].labelled is None
    assert not caplog.text


def test_coordinates_with_the_flag_0_are_counted(content, write, caplog):
    """Some tools mean hidden joints. COCO means joints without a label."""
    open_data("coco", write(content), "training")
    assert "1 of 1 joints with the flag 0 have coordinates; they count as not labelled" in caplog.text


@pytest.mark.parametrize("side", ["left", "right"])
def test_hands_that_are_labelled_twice_are_counted(content, write, caplog, side):
    first = content["annotations"][0]
    first["keypoints"][2::3] = [2] * 21
    moved = np.add(np.reshape(first["keypoints"], (21, 3)), (1.5, -1, 0))
    content["annotations"].append({**first, "id": 4, "side": side, "keypoints": moved.ravel().tolist()})
    open_data("coco", write(content), "training")
    assert "1 pair of hands of one image, with nearly the same joints" in caplog.text


def test_percentages_are_found_among_hands_with_3d_labels():
    """Hands with cameras are checked by these; the others must not pass with them."""
    large = [
        replace(each, uv_px=project(each.xyz_mm, 10 * K), K=10 * K, size_px=(2400, 2000)) for each in HANDS
    ]
    flat = [replace(each, uv_px=each.uv_px / 24, xyz_mm=None, K=None) for each in large]
    with pytest.raises(HandsError, match="of 12 hands is beyond 100 in larger images"):
        check_in_images([(each, (2400, 2000)) for each in large + flat])


def table(root: Path, **cells: str) -> Path:
    Image.new("RGB", SIZE_PX).save(root / "a.png")
    uv_px = dict(zip(JOINTS, UV_PX[0].round(2).tolist(), strict=True))
    row = {"file": "a.png", "handedness": "left"}
    row |= {f"{name}_{axis}_px": str(uv["uv".index(axis)]) for name, uv in uv_px.items() for axis in "uv"}
    row |= cells
    (root / "training.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    return root


def test_a_table_has_no_joints_without_a_place(tmp_path, caplog):
    (sample,) = open_data("table", table(tmp_path, index_tip_u_px="-3", index_tip_v_px="9"), "training")
    assert np.flatnonzero(~sample.visible).tolist() == [JOINTS.index("index_tip")]
    assert "1 of 21 visible joints lie outside their images" in caplog.text
    with pytest.raises(HandsError, match=r"line 2 has 1 joints at \(0, 0\), .* leave the cells of unknown"):
        open_data("table", table(tmp_path, index_tip_u_px="0", index_tip_v_px="0"), "training")
