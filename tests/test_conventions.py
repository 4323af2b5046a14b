"""Joint conventions: linear maps with the proportions that they were fitted to."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import SHARED
from skin_depth import height_above_skin_mm

from latent_hands.data import open_data, read_stb
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.errors import HandsError
from latent_hands.hand import fitting
from latent_hands.hand.conventions import (
    CONVENTIONS,
    Convention,
    keypoints,
    register_convention,
)
from latent_hands.hand.fitting import Misfit, fit_convention, misfits, to_toml
from latent_hands.hand.geometry import canonicalise, normalise, to_palm, to_wrist
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.rig.proportions import (
    CHAINS,
    PALM_JOINTS,
    Proportions,
    error,
    mean_hand,
    of_model,
)
from latent_hands.hand.skeleton import BONES, FINGERS, JOINTS
from latent_hands.typed_toml import parse

MODEL = HandModel.load()
NAMES = sorted(CONVENTIONS)
MEASURED = [name for name in NAMES if CONVENTIONS[name].bones]
every = pytest.mark.parametrize("name", NAMES)


def random_points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(42, 3)).astype(np.float32)


def random_rotation() -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    return (q * np.linalg.det(q)).astype(np.float32)


@every
def test_maps_are_affine_invariant(name):
    points, R = random_points(), random_rotation()
    stretched = R * np.float32([1, 2, -0.5])
    moved = keypoints(points @ stretched + np.float32([1, -2, 3]), name)
    np.testing.assert_allclose(moved, keypoints(points, name) @ stretched + [1, -2, 3], atol=2e-5)
    np.testing.assert_allclose(CONVENTIONS[name].weights().sum(1), 1, atol=1e-6)


@every
def test_maps_hold_for_every_person_and_pose(name):
    rng = np.random.default_rng(2)
    posed = MODEL.pose(MODEL.identity(MODEL.sample_identity(rng)), sample_articulation(rng), name)
    np.testing.assert_array_equal(posed.keypoints, keypoints(posed.points, name))
    np.testing.assert_allclose(posed.keypoints, CONVENTIONS[name].weights() @ posed.points, atol=1e-7)
    mirrored = keypoints(posed.points * np.float32([-1, 1, 1]), name)
    np.testing.assert_array_equal(mirrored, posed.keypoints * np.float32([-1, 1, 1]))


def test_anatomical_is_the_model_itself():
    points = random_points()
    np.testing.assert_array_equal(keypoints(points, "anatomical"), points[:21])


@every
def test_keypoints_lie_under_the_skin(name):
    rng, heights = np.random.default_rng(3), []
    for _ in range(3):
        posed = MODEL.pose(MODEL.identity(MODEL.sample_identity(rng)), sample_articulation(rng), name)
        heights.append(height_above_skin_mm(posed.keypoints, posed.vertices, MODEL.faces))
    assert np.max(heights) < 2
    assert np.mean(np.array(heights) < 0) > 0.98


@every
def test_the_mean_hand_has_the_proportions_of_the_labels(name):
    convention = CONVENTIONS[name]
    if name not in MEASURED:
        assert not convention.moves
        return
    fitted = of_model(convention.weights())
    assert set(convention.bones) == set(FINGERS)
    wanted = convention.bones, convention.palm, convention.tilt_deg
    if name != "rhd_bones":  # fitted by an earlier version, to other poses of the mean hand
        assert error(fitted, *wanted) == pytest.approx(convention.error, abs=0.001)
    assert convention.error < (0.07 if name == "rhd_bones" else 0.05)
    assert error(of_model(np.eye(21, 42, dtype=np.float32)), *wanted) > 0.15


def test_palmar_skin_lies_below_its_joint():
    own = MODEL.pose(MODEL.identity(np.zeros(12)), neutral(), "anatomical")
    below = own.points[21:] - own.points[:21]
    heights = height_above_skin_mm(own.points[21:], own.vertices, MODEL.faces)
    assert np.abs(heights).max() < 4  # vertices are that far apart
    fingers = [joint for joint in range(5, 21) if "tip" not in JOINTS[joint]]
    assert (below[[0, 4, *fingers], 2] < -0.002).all()


def test_proportions_do_not_depend_on_place_size_and_rotation():
    rng = np.random.default_rng(4)
    hands = torch.from_numpy(rng.normal(size=(5, 21, 3)))
    turned = 37 * hands @ torch.from_numpy(random_rotation().astype(float)) + 11
    np.testing.assert_allclose(Proportions.of(turned).flat(), Proportions.of(hands).flat(), atol=1e-6)
    lengths = Proportions.of(hands).bones[:, list(FINGERS).index("middle") * 4 + 1]
    np.testing.assert_allclose(lengths, 1)
    joints = to_wrist(canonicalise(normalise(to_palm(hands))[0])[0])
    np.testing.assert_allclose(Proportions.of(hands).palm, joints[:, PALM_JOINTS])
    assert [BONES[bone] for bone in CHAINS[:4]] == [(0, 4), (4, 3), (3, 2), (2, 1)]


def test_poses_do_not_change_proportions():
    shape = MODEL.identity(np.zeros(12))
    rng = np.random.default_rng(5)
    hands = [MODEL.pose(shape, sample_articulation(rng), "anatomical").keypoints for _ in range(20)]
    measured = Proportions.of(torch.from_numpy(np.stack(hands) * [-1.0, 1, 1]))
    assert measured.bones.std(0).max() < 0.02  # the arch of the palm moves ring and little knuckles a little
    assert measured.palm.std(0).max() < 0.1


def test_an_unknown_convention_is_refused():
    with pytest.raises(HandsError, match='unknown joint convention "rdh"; did you mean "rhd"'):
        CONVENTIONS.find("rdh")
    with pytest.raises(HandsError, match="unknown joint convention"):
        MODEL.pose(MODEL.identity(np.zeros(12)), neutral(), "none")
    with pytest.raises(HandsError, match='unknown joint "index_mpc"; did you mean "index_mcp"'):
        Convention("", "", moves={"wrist": {"index_mpc": 0.1}}).weights()


def test_readers_name_the_convention_of_their_set():
    found = {}
    if (SHARED / "stb").is_dir():
        found["stb"] = read_stb(SHARED / "stb", "evaluation", limit=1, views=("left",), images=False)
    for each in ("rhd", "ge2019"):
        if (SHARED / each).is_dir():
            found[each] = open_data(each, SHARED / each, "evaluation", limit=1)
    if not found:
        pytest.skip(f"no data sets at {SHARED}")
    for each, samples in found.items():
        assert samples[0].convention == each


@pytest.mark.parametrize("each", ["stb", "ge2019"])
def test_calibrated_numbers_are_those_of_the_labels(each):
    root = SHARED / each
    if not root.is_dir():
        pytest.skip(f"no {each} at {root}")
    samples = (
        read_stb(root, "training", views=("left",), images=False)[::100]
        if each == "stb"
        else open_data(each, root, "evaluation")
    )
    measured = Proportions.of(to_wrist(torch.stack([palm_xyz_mm(sample) for sample in samples]))).reduced(
        "mean"
    )
    convention = CONVENTIONS[each]
    assert error(measured, convention.bones, convention.palm, convention.tilt_deg) < 0.003


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(CONVENTIONS, "_things", dict(CONVENTIONS))


@pytest.mark.usefixtures("registered")
def test_a_convention_is_registered_in_one_place():
    table = {"about": "halves", "calibrated": "by hand", "moves": {"wrist": {"middle_mcp": 0.5}}}
    register_convention("halves-of-a-test", table)
    points = random_points()
    expected = np.vstack([points[:1] / 2 + points[12:13] / 2, points[1:21]])
    np.testing.assert_allclose(keypoints(points, "halves-of-a-test"), expected, atol=1e-6)
    with pytest.raises(HandsError, match='"halves-of-a-test" is already registered'):
        register_convention("halves-of-a-test", table)
    with pytest.raises(HandsError, match='unknown joint "index_mpc"'):
        register_convention("broken", table | {"moves": {"index_mpc": {"palmar": 0.1}}})
    with pytest.raises(HandsError, match='unknown key "move"'):
        register_convention("broken", table | {"move": {}})


def test_a_fit_recovers_the_moves_of_a_convention(monkeypatch):
    directions = [("wrist", "middle_mcp", "middle_mcp"), ("index_pip", "index_mcp", "index_dip")]
    monkeypatch.setattr(fitting, "_directions", lambda: directions)
    moves = {"wrist": {"middle_mcp": 0.1}, "index_pip": {"index_dip": 0.2}}
    hands = torch.from_numpy(Convention("", "", moves=moves).weights() @ mean_hand())
    fitted = fit_convention(hands, penalty=0.0, statistic="mean")
    assert fitted.moves == moves
    assert (fitted.hands, fitted.error) == (len(hands), 0)
    assert Misfit.between(of_model(fitted.weights()), Proportions.of(hands).reduced("mean")).bones < 0.001


def test_the_models_own_joints_are_in_the_convention_anatomical():
    found = misfits(torch.from_numpy(mean_hand()[:, :21]), "mean")
    assert found.keys() == CONVENTIONS.keys()
    assert min(found, key=lambda name: found[name].bones) == "anatomical"
    assert found["anatomical"].palm < 1e-6


@pytest.mark.usefixtures("registered")
def test_a_fitted_convention_is_a_table_that_can_be_registered():
    convention = dataclasses.replace(CONVENTIONS["stb"], about="STB again", error=0.125)
    register_convention("again", parse(to_toml("again", convention), "a test")["again"])
    assert CONVENTIONS["again"] == convention


def test_hands_without_bent_fingers_have_no_tilt():
    model = HandModel.load()
    straight = model.pose(model.identity(np.zeros(12)), neutral()).points[None, :21] * [-1, 1, 1]
    (misfit, *_) = misfits(torch.from_numpy(straight)).values()
    assert np.isnan(misfit.tilt_deg)
    assert misfit.palm < 1
