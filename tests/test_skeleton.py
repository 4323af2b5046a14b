"""Joint orders and bones."""

import numpy as np
import pytest
import torch

from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import (
    BONES,
    FINGERS,
    JOINTS,
    LITTLE_MCP,
    MIDDLE_MCP,
    MIDDLE_PIP,
    ORDERS,
    PARENTS,
    register_order,
    reorder,
)


def test_the_named_joints_are_where_rhd_keeps_them():
    assert (MIDDLE_PIP, MIDDLE_MCP, LITTLE_MCP) == (11, 12, 20)
    assert len(set(JOINTS)) == 21


@pytest.mark.parametrize("source", ORDERS)
@pytest.mark.parametrize("target", ORDERS)
def test_orders_round_trip_for_arrays_and_tensors(source, target):
    points = np.arange(2 * 21 * 3).reshape(2, 21, 3)
    converted = reorder(points, source, target)
    assert (reorder(converted, target, source) == points).all()
    assert (reorder(torch.from_numpy(points), source, target).numpy() == converted).all()


def test_stb_is_reversed_after_its_palm():
    native = torch.arange(21.0)[:, None]
    assert reorder(native, "stb", "rhd").flatten().tolist() == [0, *range(20, 0, -1)]


def test_mediapipe_lists_every_finger_from_base_to_tip():
    native = reorder(np.arange(21)[:, None], "rhd", "mediapipe").ravel()
    assert [JOINTS[i] for i in native[1:5]] == ["thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"]
    assert [JOINTS[i] for i in native[-4:]] == ["little_mcp", "little_pip", "little_dip", "little_tip"]


def test_manos_tips_come_last_and_its_little_finger_before_its_ring_finger():
    native = [JOINTS[i] for i in reorder(np.arange(21)[:, None], "rhd", "mano").ravel()]
    assert native[1:4] == ["index_mcp", "index_pip", "index_dip"]
    assert native[7:11] == ["little_mcp", "little_pip", "little_dip", "ring_mcp"]
    assert native[13:] == [*("thumb_cmc", "thumb_mcp", "thumb_ip"), *(f"{finger}_tip" for finger in FINGERS)]


def test_hands2017_lists_the_bases_first_and_interhand_the_wrist_last():
    native = [JOINTS[i] for i in reorder(np.arange(21)[:, None], "rhd", "hands2017").ravel()]
    assert native[:7] == ["wrist", "thumb_cmc", *(f"{f}_mcp" for f in list(FINGERS)[1:]), "thumb_mcp"]
    assert native[-3:] == ["little_pip", "little_dip", "little_tip"]
    assert reorder(np.arange(21)[:, None], "rhd", "interhand").ravel().tolist() == [*range(1, 21), 0]


def test_bones_form_a_tree_of_five_chains_from_the_wrist():
    assert len(BONES) == 20
    assert PARENTS[0] == -1
    for chain in FINGERS.values():
        assert [PARENTS[joint] for joint in chain] == [0, *chain[:-1]]


def test_an_order_is_registered_in_one_place(monkeypatch):
    monkeypatch.setattr(ORDERS, "_things", dict(ORDERS))
    register_order("tips-first", [20, *range(20)], "tips first")
    points = np.arange(21)[:, None]
    assert reorder(points, "rhd", "tips-first").ravel().tolist() == [*range(1, 21), 0]
    assert (reorder(reorder(points, "tips-first", "mediapipe"), "mediapipe", "tips-first") == points).all()
    with pytest.raises(HandsError, match='"tips-first" is already registered'):
        register_order("tips-first", range(21))
    with pytest.raises(HandsError, match="permutation of 0 to 20"):
        register_order("short", range(20))


def test_unknown_orders_and_wrong_shapes_are_named():
    with pytest.raises(HandsError, match='did you mean "mediapipe"'):
        reorder(np.zeros((21, 3)), "mediapip", "rhd")
    with pytest.raises(HandsError, match=r"mediapipe \(FreiHAND, Ge et al. \(2019\), MediaPipe, COCO: wrist"):
        reorder(np.zeros((21, 3)), "rhd", "mediapip")
    with pytest.raises(HandsError, match='"snap" was renamed: use "mediapipe"'):
        reorder(np.zeros((21, 3)), "rhd", "snap")
    with pytest.raises(HandsError, match=r"\(20, 3\)"):
        reorder(np.zeros((20, 3)), "mediapipe", "rhd")


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("order", [[0] * 21, np.arange(21), None, 3])
def test_an_order_is_a_name(order):
    with pytest.raises(HandsError, match="unknown joint order"):
        reorder(np.zeros((21, 3)), "rhd", order)
