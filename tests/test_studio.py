"""The studio without a browser: sliders, undo, leakage, states and photographs."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from studios import instrument
from tiny_models import ESTIMATION, SYNTHESIS, noise_image, tiny_model

from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.conventions import FRAMING
from latent_hands.predictor import HandCrop
from latent_hands.studio import figures, photographs
from latent_hands.studio.directions import MOST_SHOWN
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.leakage import leakage
from latent_hands.studio.page.hosting import open_server
from latent_hands.studio.photographs import Photograph, encode_png, factors_of
from latent_hands.studio.puppet import turn_about
from latent_hands.studio.session import MOST_UNDO, Session
from latent_hands.studio.state import FORMAT, MAX_BYTES, State

RUNS = ("synthesis", "portraits128", "algorithm_2", "estimation")
WITH_IMAGES = ("synthesis", "algorithm_2", "estimation")
"""Runs that infer all factors from images."""


def same(a: State, b: State) -> bool:
    return all(torch.equal(a.latent[name], b.latent[name]) for name in a.latent) and torch.equal(
        a.puppet.joints_mm, b.puppet.joints_mm
    )


# Sessions


@pytest.mark.parametrize("run", RUNS)
def test_every_command_changes_only_its_factors_and_is_undone(run):
    session = Session(instrument(run))
    posed = session.instrument.posed
    commands = [
        (lambda: session.drag("ring", torch.tensor([0.0, -40, -40])), posed),
        (lambda: session.drag_wrist(torch.tensor([40.0, 30, 0])), posed),
        (lambda: session.turn(turn_about(2, 15.0)), posed),
        (session.random_pose, posed),
        (lambda: session.slide(posed[0], 0, 1.0), posed[:1]),
        (lambda: session.draw(posed[0]), posed[:1]),
    ]
    if session.instrument.others:
        commands.append((session.random_content, session.instrument.others))
    for command, factors in commands:
        before = session.state
        command()
        session.settle()
        changed = {f for f in before.latent if not torch.equal(before.latent[f], session.state.latent[f])}
        assert changed
        assert changed <= set(factors)  # a finger does not move the factor of the viewpoint
        assert same(session.before, before)
        after = session.state
        assert session.undo()
        assert same(session.state, before)
        assert session.redo()
        assert same(session.state, after)


def test_a_gesture_is_one_step_of_undo():
    session = Session(instrument())
    first = session.state
    for y in (-60.0, -50.0, -40.0):
        session.drag("index", torch.tensor([0.0, y, -20]))
    assert session.steps == (1, 0)
    session.settle()
    session.drag("index", torch.tensor([0.0, -30.0, -20]))
    assert session.steps == (2, 0)
    session.undo()
    session.undo()
    assert same(session.state, first)
    assert not session.undo()


def test_a_new_command_ends_redo_and_the_past_is_bounded():
    session = Session(instrument())
    for _ in range(MOST_UNDO + 5):
        session.random_content()
    assert session.steps == (MOST_UNDO, 0)
    session.undo()
    session.random_content()
    assert session.steps[1] == 0
    assert not session.redo()


def test_a_slider_shows_what_it_was_set_to():
    session = Session(instrument())
    for factor, axes in session.instrument.directions.items():
        session.slide(factor, 1, 2.0)
        assert axes.coordinates(session.state.latent[factor])[1] == pytest.approx(2, abs=1e-3)
        assert session.state.sources[factor].endswith("(edited)")


def test_swaps_walks_and_draws_change_one_factor():
    session = Session(instrument())
    session.keep("A")
    session.random_content()
    session.random_pose()
    session.keep("B")
    a, b = session.both()
    four = session.swapped("content")
    for factor, order in (("pose", (a, b, a, b)), ("content", (a, b, b, a))):
        assert torch.equal(four[factor], torch.cat([state.latent[factor] for state in order]))
    walk = session.walk("pose", 5)
    torch.testing.assert_close(walk["pose"][[0, 4]], torch.cat([a.latent["pose"], b.latent["pose"]]))
    assert torch.equal(walk["content"], a.latent["content"].expand(5, -1))
    draws = session.draws("pose", 3)
    assert len(draws["pose"].unique(dim=0)) == 3
    session.take("content", "A")
    assert torch.equal(session.state.latent["content"], a.latent["content"])
    assert torch.equal(session.state.latent["pose"], b.latent["pose"])


def test_a_traversal_sets_one_coordinate_and_keeps_all_others():
    session = Session(instrument())
    session.random_content()
    latents, values = session.traversal("content", 2, (-3.0, 0.0, 3.0)), [-3.0, 0.0, 3.0]
    axes = session.instrument.directions["content"]
    start = axes.coordinates(session.state.latent["content"])
    for z, value in zip(latents["content"], values, strict=True):
        found = axes.coordinates(z[None])
        assert found[2] == pytest.approx(value, abs=1e-3)
        found[2] = start[2]
        torch.testing.assert_close(found, start, atol=1e-3, rtol=0)
    assert torch.equal(latents["pose"], session.state.latent["pose"].expand(3, -1))


@pytest.mark.parametrize("run", RUNS)
def test_figures_have_a_row_for_each_slider_and_change_no_state(run):
    session = Session(instrument(run))
    before, factor = session.state, session.instrument.posed[0]
    session.keep("A")
    session.random_pose()
    session.keep("B")
    for make in (figures.swap, figures.walk, figures.draws, figures.directions):
        assert make(session, factor).dtype == np.uint8
    rows = session.instrument.directions[factor].titles
    assert len(rows) == min(MOST_SHOWN, session.instrument.sizes[factor])
    assert session.steps == (1, 0)
    assert same(session.before, before)


def test_a_scene_of_no_source_has_the_moments_of_typical_latents():
    run = instrument()
    known = run.unknown(run.others)["content"]
    typical = run.random_contents(4 * run.sizes["content"], 0)["content"]
    torch.testing.assert_close(known.mean[0], typical.mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(known.log_var[0].exp(), typical.var(0), atol=1e-3, rtol=0)
    session = Session(run)
    session.random_content()
    session.recentre()
    assert torch.equal(session.state.latent["content"], known.mean)


def test_an_empty_place_is_an_error_that_says_what_to_do():
    with pytest.raises(HandsError, match=r"place A is empty.*key 1"):
        Session(instrument()).both()


def test_sessions_of_one_instrument_do_not_share_a_state():
    first, second = Session(instrument()), Session(instrument())
    before = second.state
    first.random_pose()
    first.keep("A")
    assert second.state is before
    assert second.kept == {}


@pytest.mark.parametrize("run", RUNS)
def test_every_run_shows_an_image_of_its_latent(run):
    images = instrument(run).images(Session(instrument(run)).state.latent)
    assert images[0].dtype == np.uint8
    assert images[0].shape[2] == 3


# Leakage


def test_nothing_leaks_where_nothing_changed_and_only_touched_factors_count_as_moved():
    session = Session(instrument())
    latent = session.state.latent
    assert [change.reread for change in leakage(instrument(), latent, latent)] == [0, 0]
    session.slide("content", 0, 3.0)
    changes = {change.factor: change for change in leakage(instrument(), latent, session.state.latent)}
    assert changes["content"].touched
    assert not changes["pose"].touched
    assert changes["pose"].pose_mm is not None


def test_a_run_without_images_has_no_leakage():
    state = Session(instrument("estimation")).state
    assert leakage(instrument("estimation"), state.latent, state.latent) == []


# Saved states


@pytest.mark.parametrize("run", RUNS)
def test_a_state_is_read_back_as_it_was_written(run):
    session = Session(instrument(run))
    session.random_pose()
    sizes = session.instrument.sizes
    read = State.from_json(session.state.to_json(run), sizes)
    for name in sizes:
        torch.testing.assert_close(read.latent[name], session.state.latent[name])
        torch.testing.assert_close(read.posterior[name].log_var, session.state.posterior[name].log_var)
    torch.testing.assert_close(read.puppet.joints_mm, session.state.puppet.joints_mm, atol=1e-3, rtol=0)
    assert read.sources == session.state.sources


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "another", FORMAT),
        ("latent", {"pose": [0.0]}, "32 finite numbers"),
        ("latent", {}, 'no factor "pose"'),
        ("angles_deg", [None] * 24, "24 numbers"),
        ("angles_deg", [float("nan")] * 24, "24 finite numbers"),
        ("rotation", [[0, 0, 0]] * 3, "rotation matrix"),
        ("rotation", 7, "3 rows"),
    ],
)
def test_a_broken_state_is_an_error(key, value, message):
    session = Session(instrument())
    record = json.loads(session.state.to_json("synthesis")) | {key: value}
    with pytest.raises(HandsError, match=message):
        State.from_json(json.dumps(record), session.instrument.sizes)


def test_a_state_of_other_weights_is_an_error():
    session = Session(instrument())
    sizes, text = session.instrument.sizes, session.state.to_json("runs/first", "0123")
    for weights in ("0123", None):
        State.from_json(text, sizes, weights=weights)
    State.from_json(session.state.to_json("runs/first"), sizes, weights="4567")
    with pytest.raises(HandsError, match='state of the run "runs/first": load that run first'):
        State.from_json(text, sizes, weights="4567")


def test_large_states_and_other_files_are_errors():
    sizes = instrument().sizes
    with pytest.raises(HandsError, match="the limit is"):
        State.from_json(" " * (MAX_BYTES + 1), sizes)
    with pytest.raises(HandsError, match="not a JSON file"):
        State.from_json(b"\x89PNG", sizes, "a.json")


# Photographs


def test_uploads_are_limited_in_bytes_and_in_pixels(monkeypatch):
    png = encode_png(np.zeros((40, 60, 3), np.uint8))
    monkeypatch.setattr(photographs, "MAX_PIXELS", 2399)
    with pytest.raises(HandsError, match=r"a\.png: it has 2,400 pixels; the limit is 2,399"):
        photographs.read("a.png", png)
    monkeypatch.setattr(photographs, "MAX_BYTES", len(png) - 1)
    with pytest.raises(HandsError, match="the limit is"):
        photographs.read("a.png", png)


def test_an_upload_that_is_no_image_is_an_error_with_its_name():
    with pytest.raises(HandsError, match=r"^note\.txt"):
        photographs.read("note.txt", b"no image")


def test_large_photographs_are_reduced(monkeypatch):
    monkeypatch.setattr(photographs, "LONGER_PX", 50)
    assert photographs.read("a.png", encode_png(np.zeros((100, 200, 3), np.uint8))).shape == (25, 50, 3)


def test_a_png_is_lossless():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(photographs.read("a.png", encode_png(rgb)), rgb)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("run", WITH_IMAGES)
def test_a_hand_of_a_photograph_gives_all_factors_and_its_pose(run, side):
    rgb = noise_image(80)
    hand = replace(tiny_model(ESTIMATION).estimate(HandCrop.open(rgb)), convention=FRAMING, handedness=side)
    photograph = Photograph("a.png", rgb, (hand,))
    posterior, pose = factors_of(instrument(run), photograph, 0)
    assert set(posterior) == set(instrument(run).sizes)
    given = torch.from_numpy(hand.pose)
    wanted = geometry.normalise(geometry.mirror(given) if side == "right" else given)[0]
    torch.testing.assert_close(pose, wanted)  # without a camera, no rotation
    session = Session(instrument(run))
    session.load(posterior, "a.png", pose)
    assert set(session.state.sources.values()) == {"a.png"}
    with pytest.raises(HandsError, match="has 1 hand; there is no hand 2"):
        factors_of(instrument(run), photograph, 1)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(HandsError, match=f"port is {port}, but must be 1 to 65535"):
        open_server("127.0.0.1", port)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_change_nothing(value):
    session = Session(instrument())
    before = session.state
    for command in (
        *(lambda factor=factor: session.slide(factor, 0, value) for factor in session.instrument.sizes),
        lambda: session.face(torch.full((3, 3), value)),
    ):
        with pytest.raises(HandsError, match="numbers that are not finite"):
            command()
    assert session.state is before


def test_a_run_without_a_decoder_of_its_pose_is_refused():
    graph = SYNTHESIS.replace('pose = { writes = "pose", factors = ["pose"] }\n', "")
    with pytest.raises(HandsError, match=r'the run "mine" has no decoder of pose, so .* write rgb, tag'):
        Instrument(tiny_model(graph), "mine")
