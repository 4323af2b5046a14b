"""The doctor on arrays: every wrong convention is named, alone or with others, and no right one is."""

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import SHARED
from posed_hands import SIZE_PX, posed_hands

from latent_hands.data import open_data, read_stb
from latent_hands.data.sample import project
from latent_hands.doctor import anatomy, cameras
from latent_hands.doctor.diagnosis import diagnose
from latent_hands.doctor.images import READINGS, best_reading
from latent_hands.doctor.labels import labels_of
from latent_hands.hand import listing
from latent_hands.hand.bending import left_bend
from latent_hands.hand.skeleton import JOINTS, reorder


@pytest.fixture(scope="module")
def labels():
    return labels_of([(sample.name, sample, SIZE_PX) for sample in posed_hands(24)])


def wrong(labels, colour_spread=None):
    """Return what is wrong, by topic."""
    return {verdict.topic: verdict.wrong for verdict in diagnose(labels, colour_spread)[0] if verdict.wrong}


def in_order(labels, name):
    """Return the labels in another order, read as if in RHD's."""
    places = listing.listings()[name].places
    return labels.listed([places.index(i) for i in range(21)])


def times(K, scale):
    return K * np.array([scale, scale, 1.0])[:, None]


def with_palm(labels):
    xyz_mm = labels.xyz_mm.copy()
    xyz_mm[:, 0] = (xyz_mm[:, 0] + xyz_mm[:, 12]) / 2
    return replace(labels, xyz_mm=xyz_mm, uv_px=project(xyz_mm, labels.K))


def test_nothing_is_wrong_with_right_hands(labels):
    verdicts, outliers = diagnose(labels)
    assert {verdict.topic for verdict in verdicts} == {
        *("order", "unit", "axes", "camera", "frame", "root", "side")
    }
    assert wrong(labels) == {}
    assert outliers == []


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_hands_are_enough(count):
    few = labels_of([(sample.name, sample, SIZE_PX) for sample in posed_hands(count, seed=4)])
    assert wrong(few) == {}
    assert set(wrong(in_order(few, "mediapipe"))) == {"order"}
    assert set(wrong(with_palm(few))) == {"root"}


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (
            0.001,
            "the middle bone is 0.03[0-9]+ mm; .*: the labels look like metres.* multiply by 1000",
        ),
        (0.1, "centimetres, not millimetres, multiply by 10$"),
        (1000, "millimetres read as metres, divide by 1000"),
        (1 / 3, "no usual unit"),
    ],
)
def test_units_are_named(labels, factor, message):
    found = wrong(replace(labels, xyz_mm=labels.xyz_mm * factor))
    assert set(found) == {"unit"}
    assert re.search(message, found["unit"])


def test_poses_without_millimetres_are_named(labels):
    bones = anatomy.middle_bone(labels.xyz_mm)[:, None, None]
    assert "lengths of that bone" in wrong(replace(labels, xyz_mm=labels.xyz_mm / bones, K=None))["unit"]


@pytest.mark.parametrize("order", [name for name in listing.listings() if name != "rhd"])
def test_orders_are_named(labels, order):
    found = wrong(in_order(labels, order))
    assert set(found) == {"order"}
    assert f'"{order}"' in found["order"]


def test_the_remedy_for_an_order_is_right(labels):
    mixed = in_order(labels, "mano")
    assert 'reorder(points, "mano", "rhd")' in wrong(mixed)["order"]
    np.testing.assert_array_equal(reorder(mixed.xyz_mm, "mano", "rhd"), labels.xyz_mm)


def test_points_in_no_order_are_no_hands(labels):
    shuffled = labels.listed(np.random.default_rng(0).permutation(21).tolist())
    assert "no known order" in wrong(shuffled)["order"]


def test_wrong_sides_are_named(labels):
    found = wrong(replace(labels, left=~labels.left))
    assert set(found) == {"side"}
    assert "hands labelled left are right hands" in found["side"]
    assert "hands labelled right are left hands" in found["side"]
    one = wrong(replace(labels, left=np.ones(len(labels.left), bool)))
    assert "the side left is wrong for 5" in one["side"]


def test_sides_that_are_not_labelled_are_counted(labels):
    verdicts, _ = diagnose(replace(labels, left=None))
    (side,) = (verdict for verdict in verdicts if verdict.topic == "side")
    assert (side.found, side.wrong) == ("not labelled", "")
    assert re.match(
        r"\d+ hands bend like left hands, \d+ like right hands; training .* --handedness", side.evidence
    )


def test_one_wrong_side_is_that_hands_problem(labels):
    bent = int(np.abs(left_bend(labels.xyz_mm)).argmax())
    left = labels.left.copy()
    left[bent] ^= True
    verdicts, outliers = diagnose(replace(labels, left=left))
    assert not any(verdict.wrong for verdict in verdicts)
    assert {name for name, _ in outliers} == {labels.names[bent]}


AXES = {
    cameras.SWAPPED: lambda labels: replace(labels, xyz_mm=labels.xyz_mm[..., [1, 0, 2]]),
    cameras.SWAPPED_2D: lambda labels: replace(labels, uv_px=labels.uv_px[..., ::-1]),
    cameras.MIRRORED: lambda labels: replace(labels, xyz_mm=labels.xyz_mm * [-1, 1, 1]),
    "y of the 3D joints points up": lambda labels: replace(labels, xyz_mm=labels.xyz_mm * [1, -1, 1]),
    "OpenGL's axes": lambda labels: replace(labels, xyz_mm=labels.xyz_mm * [1, -1, -1]),
}


@pytest.mark.parametrize("axes", AXES)
def test_axes_are_named_where_2d_joints_are_labelled(labels, axes):
    found = wrong(AXES[axes](labels))
    assert set(found) == {"axes"}
    assert axes in found["axes"]


@pytest.mark.parametrize("axes", [cameras.SWAPPED, cameras.SWAPPED_2D])
def test_the_side_decides_which_joints_are_swapped_where_the_camera_cannot(labels, axes):
    K = labels.K.copy()
    K[:, 0, 2] = K[:, 1, 2] = 100
    even = replace(labels, K=K, uv_px=project(labels.xyz_mm, K))
    assert axes in wrong(AXES[axes](even))["axes"]


@pytest.mark.parametrize("axes", [cameras.SWAPPED, cameras.MIRRORED])
def test_where_2d_joints_are_projected_images_distinguish_sides_from_axes(labels, axes):
    turned = AXES[axes](labels)
    turned = replace(turned, uv_px=project(turned.xyz_mm, turned.K))
    colour_spread = np.tile(np.where(np.array(READINGS) == axes, 1.0, 9.0), (len(labels.names), 1))
    assert set(wrong(turned, colour_spread)) == {"axes"}
    assert "see the sheet (check --sheet)" in wrong(turned)["side"]
    as_labelled = np.tile([1.0, 9.0, 9.0], (len(labels.names), 1))
    assert set(wrong(turned, as_labelled)) == {"side"}
    assert "see the sheet (check --sheet)" not in wrong(turned, as_labelled)["side"]


def test_images_that_disagree_do_not_decide():
    assert best_reading(np.array([[1.0, 2, 3], [2, 1, 3]] * 10)) is None
    assert best_reading(np.full((20, 3), 5.0)) is None
    assert best_reading(np.array([[1.0, 2, 3]] * 20)) == READINGS[0]


@pytest.mark.parametrize("scale", [0.5, 1.25, 2.0])
@pytest.mark.parametrize("projected", [False, True])
def test_a_camera_of_another_resolution_is_named(labels, scale, projected):
    K = times(labels.K, scale)
    other = replace(labels, K=K, uv_px=project(labels.xyz_mm, K) if projected else labels.uv_px)
    found = wrong(other)
    assert set(found) == {"camera"}
    width, height = (round(side * scale / 10) for side in SIZE_PX)
    size = found["camera"].split(" px")[0].removeprefix("K belongs to images of ").split("x")
    assert [round(int(side) / 10) for side in size] == [width, height]


def test_a_camera_of_another_crop_is_named(labels):
    moved = np.random.default_rng(0).uniform(20, 40, (len(labels.names), 1, 2))
    found = wrong(replace(labels, uv_px=labels.uv_px + moved))
    assert set(found) == {"camera"}
    assert "another crop" in found["camera"]


def test_2d_joints_of_other_hands_do_not_reproject(labels):
    assert "no other camera explain it" in wrong(replace(labels, uv_px=labels.uv_px[::-1]))["camera"]


def test_palm_and_wrist_are_distinguished(labels):
    palm = with_palm(labels)
    assert "read as the wrist but is the palm" in wrong(palm)["root"]
    assert wrong(replace(palm, root="palm")) == {}
    assert "read as the palm but is the wrist" in wrong(replace(labels, root="palm"))["root"]


def test_several_mistakes_are_named_at_once(labels):
    bad = in_order(with_palm(labels), "mediapipe")
    bad = replace(bad, xyz_mm=bad.xyz_mm[..., [1, 0, 2]] / 1000, K=times(bad.K, 2))
    assert set(wrong(bad)) == {"order", "unit", "root", "axes", "camera"}


def test_single_hands_out_of_range_are_named(labels):
    xyz_mm, uv_px = labels.xyz_mm.copy(), labels.uv_px.copy()
    xyz_mm[1] *= 4
    tip, dip = JOINTS.index("ring_tip"), JOINTS.index("ring_dip")
    xyz_mm[2, tip] += 2 * (xyz_mm[2, tip] - xyz_mm[2, dip])
    uv_px[3, tip] += 60
    xyz_mm[4, :, 2] -= 2000
    bent = replace(labels, xyz_mm=xyz_mm, uv_px=uv_px)
    verdicts, outliers = diagnose(bent)
    assert not any(verdict.wrong for verdict in verdicts)
    messages = {name: " ".join(text for other, text in outliers if other == name) for name, _ in outliers}
    assert set(messages) == {labels.names[i] for i in (1, 2, 3, 4)}
    assert "middle bone" in messages[labels.names[1]]
    assert "ring_dip-ring_tip: 3" in messages[labels.names[2]]
    assert "1 visible joints do not reproject, most of all ring_tip" in messages[labels.names[3]]
    assert "behind the camera" in messages[labels.names[4]]


def test_fingers_that_bend_backwards_are_named(labels):
    hand = labels.xyz_mm[0].copy()
    base, tip = hand[JOINTS.index("index_pip")], slice(JOINTS.index("index_tip"), JOINTS.index("index_pip"))
    axis = hand[JOINTS.index("little_mcp")] - hand[JOINTS.index("index_mcp")]
    axis /= np.linalg.norm(axis)
    straight = hand[JOINTS.index("index_pip")] - hand[JOINTS.index("index_mcp")]
    back = np.cross(axis, straight) * (-1 if labels.left[0] else 1)
    hand[tip] = base + np.outer([2.0, 1.0], back) * 0.5
    xyz_mm = labels.xyz_mm.copy()
    xyz_mm[0] = hand
    messages = [text for _, text in diagnose(replace(labels, xyz_mm=xyz_mm, uv_px=None))[1]]
    assert any("index finger's middle joint bends by -90 degrees" in text for text in messages)


def test_bends_are_the_same_from_everywhere_and_for_mirror_images(labels):
    R = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    R *= np.linalg.det(R)
    here = anatomy.bend_deg(labels.xyz_mm, labels.left)
    np.testing.assert_allclose(anatomy.bend_deg(labels.xyz_mm @ R, labels.left), here, atol=1e-3)
    np.testing.assert_allclose(anatomy.bend_deg(labels.xyz_mm * [-1, 1, 1], ~labels.left), here, atol=1e-3)
    np.testing.assert_allclose(left_bend(labels.xyz_mm * [-1, 1, 1]), -left_bend(labels.xyz_mm), atol=1e-9)


@pytest.mark.skipif(not (SHARED / "stb").is_dir(), reason=f"STB is not at {SHARED}")
@pytest.mark.parametrize("view", ["left", "right", "sk"])
def test_nothing_is_wrong_with_stb(view):
    samples = read_stb(SHARED / "stb", "evaluation", views=(view,), images=False)
    verdicts, outliers = diagnose(labels_of([(sample.name, sample, (640, 480)) for sample in samples]))
    assert not [verdict for verdict in verdicts if verdict.wrong]
    assert outliers == []


@pytest.mark.parametrize(("name", "size_px"), [("rhd", 320), ("ge2019", 256)])
def test_nothing_is_wrong_with_real_hands_until_they_are_changed(name, size_px):
    if not (SHARED / name).is_dir():
        pytest.skip(f"{name} is not at {SHARED}")
    samples = open_data(name, SHARED / name, "evaluation")
    labels = labels_of([(sample.name, sample, (size_px, size_px)) for sample in samples])
    assert wrong(labels) == {}
    assert diagnose(labels)[1] == []
    assert set(wrong(replace(labels, xyz_mm=labels.xyz_mm / 1000))) == {"unit"}
    assert set(wrong(in_order(labels, "mediapipe"))) == {"order"}
    assert set(wrong(with_palm(labels))) == {"root"}
    assert set(wrong(replace(labels, left=~labels.left))) == {"side"}
    assert set(wrong(replace(labels, K=times(labels.K, 0.5)))) == {"camera"}
    assert set(wrong(AXES[cameras.SWAPPED](labels))) == {"axes"}
