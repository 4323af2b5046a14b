"""Rendered whole images: labels agree with pixels, and the set is read as it was written."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("warp")

from latent_hands.cli.render import render
from latent_hands.data import open_data
from latent_hands.data.formats.image import read_pixels
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.whole_images import hands_by_image, images_of
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import INDEX_MCP, LITTLE_MCP, WRIST
from latent_hands.rendering.sets.whole_set import render_whole_images
from latent_hands.rendering.whole.image import whole_image

SIZE = 96
TIPS, BASES = [5, 9, 13, 17], [8, 12, 16, 20]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A set of eight images of 96 pixels and one of evaluation."""
    out = tmp_path_factory.mktemp("sets") / "whole"
    return render_whole_images(out, 8, SIZE, 3, 1, 1, no_hand=0.3, progress=False)


@pytest.fixture(scope="module")
def hands(root):
    return open_data("rendered-hands", root, "training")


def test_visible_joints_lie_in_the_mask_of_their_own_hand(hands):
    found = []
    for hand in hands:
        if hand.factors["pixels"] < 150:
            continue
        mask = read_pixels(hand.mask, "L")
        column, row = np.round(hand.uv_px[hand.visible]).astype(int).T
        first = 2 if hand.handedness == "left" else 18
        found += list((mask[row, column] >= first) & (mask[row, column] < first + 16))
    assert len(found) > 20
    assert np.mean(found) > 0.85


def test_the_2d_joints_are_the_projected_3d_joints(hands):
    for hand in hands:
        uvw = hand.xyz_mm @ hand.K.T
        np.testing.assert_allclose(uvw[:, :2] / uvw[:, 2:], hand.uv_px, atol=0.05)


def test_resized_images_are_refused(root, hands, tmp_path):
    assert {hand.size_px for hand in hands} == {(SIZE, SIZE)}
    smaller = tmp_path / "smaller.png"
    Image.new("RGB", (SIZE // 2, SIZE // 2)).save(smaller)
    with pytest.raises(HandsError, match="for an image of 96x96 pixels, but the image has 48x48"):
        read_labelled(replace(hands[0], image=smaller))


def test_left_and_right_hands_close_to_the_palm_on_opposite_sides():
    signs = {"left": [], "right": []}
    for index in range(12):
        for hand in whole_image(9, "training", index, 64, 0.0).record["hands"]:
            xyz = np.array(hand["xyz_m"])
            normal = np.cross(xyz[INDEX_MCP] - xyz[WRIST], xyz[LITTLE_MCP] - xyz[WRIST])
            signs[hand["side"]].append(normal @ (xyz[TIPS] - xyz[BASES]).mean(0) > 0)
    assert np.mean(signs["right"]) > 0.6 > 0.4 > np.mean(signs["left"])


def test_a_box_is_the_box_of_the_joints(root, hands):
    for hand in hands:
        x, y, width, height = hand.factors["box_px"]
        np.testing.assert_allclose([x, y], hand.uv_px.min(0) + 0.5, atol=0.01)
        np.testing.assert_allclose([width, height], np.ptp(hand.uv_px, axis=0), atol=0.01)


def test_every_hand_of_the_mask_is_labelled_and_no_other(root, hands):
    by_image = hands_by_image(hands, images_of(root, "training"))
    assert len(by_image) == 8
    assert min(map(len, by_image.values())) == 0
    for image, of_image in by_image.items():
        mask = read_pixels(image.parents[1] / "mask" / image.name, "L")
        shown = {
            side
            for side, first in (("left", 2), ("right", 18))
            if ((mask >= first) & (mask < first + 16)).any()
        }
        assert shown == {hand.handedness for hand in of_image}


def test_readers_of_rhd_read_the_same_hands(root, hands):
    in_layout = {hand.name: hand for hand in open_data("rhd-hands", root, "training")}
    for hand in hands:
        if hand.name in in_layout:
            assert np.abs(in_layout[hand.name].xyz_mm - hand.xyz_mm).max() < 1e-2
    assert in_layout.keys() <= {hand.name for hand in hands}
    dominant = open_data("rhd", root, "training")
    assert {sample.image for sample in dominant} == {hand.image for hand in hands}


def test_the_same_numbers_give_the_same_image_at_any_time():
    first = whole_image(5, "training", 3, SIZE, 0.25)
    whole_image(5, "training", 4, SIZE, 0.25)
    again = whole_image(5, "training", 3, SIZE, 0.25)
    assert first.record == again.record
    for name in ("rgb", "mask", "depth_m"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_a_share_of_1_gives_no_hands_and_of_0_gives_hands():
    assert not any(whole_image(1, "training", k, 64, 1.0).record["hands"] for k in range(4))
    assert any(whole_image(1, "training", k, 64, 0.0).record["hands"] for k in range(3))


def test_options_of_other_sets_are_refused(tmp_path):
    with pytest.raises(HandsError, match="it needs --whole-images"):
        render(tmp_path / "out", no_hand=0.5)
    with pytest.raises(HandsError, match="poses_per_scene is 2"):
        render(tmp_path / "out", whole_images=True, poses_per_scene=2)
    with pytest.raises(HandsError, match="must be between 0 and 1"):
        render(tmp_path / "out", whole_images=True, no_hand=1.5)


def test_whole_images_are_not_read_as_images_of_one_hand(root):
    with pytest.raises(
        HandsError, match=r"holds whole images .*: use the data set rendered-hands \(--data rendered-hands\)"
    ):
        open_data("rendered", root, "training")
