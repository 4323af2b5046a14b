"""Recombined factors: what moves, what stays, which encoder reads what, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from painted_hands import painted_hand
from PIL import ImageColor
from tiny_models import ESTIMATION, FOUR_FACTORS, PX, SYNTHESIS, WITHOUT_TAGS, noise_image, tiny_model

from latent_hands import draw, synthesis
from latent_hands.cli.sources import Sources, choose_content_reads
from latent_hands.errors import HandsError
from latent_hands.pixels import to_images
from latent_hands.predictor import HandCrop, Model, crop_of_sample
from latent_hands.predictor.convention import in_convention
from latent_hands.studies.gallery import (
    error_mm,
    estimate_row,
    estimate_sheet,
    transfer_grid,
    truth_mm,
    walk_frames,
    walk_row,
)

A, B = noise_image(PX, PX, seed=1), noise_image(PX, PX, seed=2)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(SYNTHESIS)


def test_factors_have_roles_in_any_graph():
    roles = {graph: tiny_model(graph).vae for graph in (ESTIMATION, SYNTHESIS, WITHOUT_TAGS)}
    assert [synthesis.pose_factors(vae) for vae in roles.values()] == [
        ("cpose", "viewpoint"),
        ("pose",),
        ("pose",),
    ]
    assert [synthesis.content_factors(vae) for vae in roles.values()] == [(), ("tag",), ("u",)]


def test_factors_are_called_by_name_or_role(model: Model):
    assert synthesis.factors_named(model.vae, ["content"]) == ("tag",)
    assert synthesis.factors_named(model.vae, ["tag", "pose"]) == ("pose", "tag")
    with pytest.raises(HandsError, match='unknown factor "contnt"; did you mean "content"'):
        synthesis.factors_named(model.vae, ["contnt"])


def test_the_narrowest_encoder_reads_a_factor():
    vae = tiny_model(WITHOUT_TAGS).vae
    batch = {"rgb": torch.rand(2, 3, PX, PX)}
    assert torch.equal(synthesis.infer(vae, ("u",), batch)["u"], vae.encode("u", batch)["u"].mean)
    assert torch.equal(synthesis.infer(vae, ("pose",), batch)["pose"], vae.encode("rgb", batch)["pose"].mean)


def test_a_factor_that_no_encoder_infers_is_refused(model: Model):
    with pytest.raises(
        HandsError, match=r"no encoder infers tag from pose.*the run has pose -> pose, tag -> tag"
    ):
        model.synthesise(pose=A, content=np.random.default_rng(0).normal(size=(21, 3)))


def test_a_photograph_is_not_taken_for_the_crop_of_a_hand():
    model = tiny_model(SYNTHESIS)
    for photograph in (noise_image(60, 80), noise_image(2 * PX, 2 * PX)):
        height, width = photograph.shape[:2]
        with pytest.raises(HandsError, match=rf"{width}x{height} pixels is not a crop.*model\.crop_of"):
            model.synthesise(A, photograph)
    assert np.array_equal(model.synthesise(A, HandCrop.open(A)), model.synthesise(A, A))


def test_an_image_of_its_own_pose_and_content_is_its_reconstruction(model: Model):
    latent = model.latent(A, ["pose", "content"])
    expected = to_images(model.decode(latent)["rgb"])[0]
    assert np.array_equal(model.synthesise(pose=A, content=A), expected)
    assert expected.shape == (PX, PX, 3)
    assert expected.dtype == np.uint8


def test_pose_and_content_each_matter(model: Model):
    both = model.synthesise(A, A)
    assert not np.array_equal(model.synthesise(A, B), both)
    assert not np.array_equal(model.synthesise(B, A), both)


def test_transfer_is_every_pose_in_every_scene(model: Model):
    hand = model.estimate(HandCrop.open(A))
    made = model.transfer([A, B, hand], [B, A])
    assert [len(row) for row in made] == [2, 2, 2]
    for i, pose in enumerate([A, B, hand]):
        for j, content in enumerate([B, A]):
            alone = model.synthesise(pose, content).astype(int)
            assert np.abs(made[i][j].astype(int) - alone).max() <= 1


def test_a_right_hand_poses_like_its_mirror_image(model: Model):
    left = HandCrop.open(A, "left")
    right = left.mirrored()
    assert right.handedness == "right"
    assert np.array_equal(model.synthesise(left, B), model.synthesise(right, B))
    assert np.array_equal(
        model.synthesise(model.estimate(left), B), model.synthesise(model.estimate(right), B)
    )


def test_a_hand_of_another_convention_is_translated_first(model: Model):
    hand = model.estimate(HandCrop.open(A, "left"))
    other = "mediapipe"
    assert hand.convention != other
    moved = in_convention(hand, other)
    untranslated = model.latent(replace(moved, convention=hand.convention), "pose")
    translated, own = (model.latent(each, "pose") for each in (moved, in_convention(moved, hand.convention)))
    for factor in own:
        assert torch.equal(translated[factor], own[factor])
    assert any(not torch.allclose(own[f], untranslated[f], atol=1e-3) for f in own)


def test_joints_pose_in_any_unit_and_place(model: Model):
    points = np.random.default_rng(0).normal(size=(21, 3))
    near = model.synthesise(points, B).astype(int)
    assert np.abs(near - model.synthesise(points * 36 + 500, B)).max() <= 1


def test_a_swap_takes_only_the_named_factors(model: Model):
    own, other = model.latent(A, ["pose", "tag"]), model.latent(B, ["pose", "tag"])
    swapped = synthesis.swap(own, other, ("tag",))
    assert torch.equal(swapped["pose"], own["pose"])
    assert torch.equal(swapped["tag"], other["tag"])
    made = model.swap(A, B, ["content"])
    assert np.array_equal(made.hand.pose, model.decode(own)["pose"][0].numpy())
    assert np.abs(made.image.astype(int) - model.synthesise(A, B)).max() <= 1


@pytest.mark.parametrize("factor", ["pose", "content"])
def test_a_walk_moves_one_factor_from_its_start_to_its_end(model: Model, factor: str):
    walk = model.walk(factor, A, B, 5)
    assert len(walk.images) == 5
    assert walk.poses.shape == (5, 21, 3)
    assert np.array_equal(walk.images[0], model.synthesise(A, A))
    end = model.synthesise(B, A) if factor == "pose" else model.synthesise(A, B)
    assert np.abs(walk.images[-1].astype(int) - end).max() <= 1
    assert np.allclose(walk.poses, walk.poses[:1], atol=1e-6) == (factor == "content")


def test_ends_of_walks_can_be_combined_from_several_sources(model: Model):
    ends = [model.latent(a, ["pose"]) | model.latent(b, ["content"], "tag") for a, b in ((A, B), (B, A))]
    walk = model.walk("pose", *ends, steps=3)
    assert np.array_equal(walk.images[0], to_images(model.decode(ends[0])["rgb"])[0])
    with pytest.raises(HandsError, match='the latent needs "tag"'):
        model.walk("tag", model.latent(A, ["pose"]), ends[1])


def test_a_walk_along_all_factors_leads_from_one_image_to_the_other(model: Model):
    walk = model.walk(["pose", "content"], A, B, 3)
    assert np.array_equal(walk.images[0], model.synthesise(A, A))
    assert np.abs(walk.images[-1].astype(int) - model.synthesise(B, B)).max() <= 1


def test_a_changed_latent_is_decoded_from_tensors_and_from_arrays(model: Model):
    z = model.latent(A, ["pose", "content"])
    z["tag"] = z["tag"] + 0.5
    arrays = {factor: each.double().numpy() for factor, each in z.items()}
    for latent in (z, arrays):
        made = model.synthesis_of(latent)
        assert np.array_equal(made.image, to_images(model.decode(z)["rgb"])[0])
        assert np.array_equal(made.hand.pose, model.decode(z)["pose"][0].numpy())
    with pytest.raises(HandsError, match='the latent needs "tag"'):
        model.synthesis_of({"pose": z["pose"]})


def test_latents_can_be_changed_in_place_and_are_inputs_of_trained_networks(model: Model):
    z = model.latent(A, "pose")["pose"]
    mean = tiny_model(ESTIMATION).infer(torch.rand(2, 3, PX, PX))["cpose"].mean
    for inferred in (z, mean):
        inferred[:, 0] += 1
        head = torch.nn.Linear(inferred.shape[1], 1)
        head(inferred).sum().backward()
        assert head.weight.grad is not None
        assert not inferred.requires_grad


def test_estimation_graphs_walk_without_images():
    walk = tiny_model(ESTIMATION).walk("viewpoint", A, B, 3)
    assert walk.images == []
    assert walk.poses.shape == (3, 21, 3)


def test_any_number_of_factors_has_two_roles():
    vae = tiny_model(FOUR_FACTORS).vae
    assert synthesis.factors_named(vae, ["pose"]) == ("cpose", "viewpoint")
    assert synthesis.factors_named(vae, ["content"]) == ("identity", "background")


def test_factors_that_no_single_encoder_infers_come_from_several():
    vae = tiny_model(FOUR_FACTORS).vae
    batch = {f"{factor}_tag": torch.rand(2, 3, PX, PX) for factor in ("identity", "background")}
    latent = synthesis.infer(vae, ("identity", "background"), batch)
    for factor, z in latent.items():
        assert torch.equal(z, vae.encode(factor, batch)[factor].mean)
    del batch["identity_tag"]
    with pytest.raises(HandsError, match="no encoder infers identity from background_tag"):
        synthesis.infer(vae, ("identity", "background"), batch)


def test_one_of_four_factors_walks_and_transfers_alone():
    model = tiny_model(FOUR_FACTORS)
    points = np.random.default_rng(0).normal(size=(21, 3))
    walk = model.walk("identity", A, B, 3)
    assert np.allclose(walk.poses, walk.poses[:1], atol=1e-6)
    ends = [model.latent(each, tuple(model.vae.latent)) for each in (A, B)]
    swapped = model.swap(A, B, ["identity"])
    parts = {**ends[0], "identity": ends[1]["identity"]}
    assert np.array_equal(swapped.image, to_images(model.decode(parts)["rgb"])[0])
    assert len(model.transfer([A, points], [A, B])[1]) == 2
    parts = [model.latent(each, [key], f"{key}_tag") for key, each in (("identity", A), ("background", B))]
    assert "rgb" in model.decode(parts[0] | parts[1] | model.latent(A, ["pose"]))


def test_contents_are_taken_from_tags_where_set_and_run_know_them(tmp_path, model: Model):
    sample = replace(painted_hand(tmp_path, "hand"), tag=tmp_path / "hand.png")
    assert choose_content_reads(None, [sample], model) == "tag"
    assert choose_content_reads(None, [sample], tiny_model(FOUR_FACTORS)) == "rgb"
    assert choose_content_reads("tag", [], model) == "tag"


@pytest.mark.parametrize("crop", ["box", "scene"])
def test_a_sample_is_cropped_as_the_model_was_trained(tmp_path, model: Model, crop):
    sample = replace(painted_hand(tmp_path, "0"), tag=tmp_path / "0.png", scene_box=(120.0, 90.0, 77.0))
    for reads in ("rgb", "tag"):
        experiment = replace(model.experiment, data=replace(model.experiment.data, crop=crop))
        photo = Sources(Model(model.vae, experiment, model.device), [sample], reads).content("0")
        assert isinstance(photo, HandCrop)
        assert (photo.side_px == 77.0) == (crop == "scene")


def test_combine_pairs_row_by_row():
    first, second = {"a": torch.tensor([[1.0], [2.0]])}, {"b": torch.tensor([[3.0], [4.0], [5.0]])}
    pairs = synthesis.combine(first, second)
    assert torch.cat([pairs["a"], pairs["b"]], dim=1).tolist() == [[a, b] for a in (1, 2) for b in (3, 4, 5)]
    with pytest.raises(HandsError, match='"a" is given twice'):
        synthesis.combine(first, first)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: m.walk("pose", A, B, 1), "steps is 1, but a walk must have between 2 and 1000 steps"),
        (lambda m: m.walk("poes", A, B), 'did you mean "pose"'),
        (lambda m: m.transfer([], [A]), "give one or more poses"),
        (lambda m: tiny_model(ESTIMATION).synthesise(A, B), "no decoder writes rgb"),
    ],
)
def test_wrong_requests_are_refused(model: Model, act, message: str):
    with pytest.raises(HandsError, match=message):
        act(model)


def test_images_keep_bytes():
    image = torch.tensor([-1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert to_images(image)[0][..., 0].ravel().tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("graph", [SYNTHESIS, WITHOUT_TAGS, FOUR_FACTORS])
def test_the_gallery_shows_every_input_and_output(graph: str):
    model = tiny_model(graph)
    sheet = transfer_grid(model, [A, model.estimate(HandCrop.open(A))], [A, HandCrop.open(B, "right"), B])
    cell, gap = 160, 6
    assert sheet.shape[0] > 3 * (cell + gap)
    assert sheet.shape[1] > 5 * (cell + gap)
    walk = model.walk("cpose" if graph == FOUR_FACTORS else "pose", A, B, 4)
    assert len(walk_frames(walk)) == 4
    assert walk_row(walk, A, B).shape[1] > 6 * 112


def test_an_estimate_is_drawn_and_measured_against_its_labels(model: Model, tmp_path):
    sample = painted_hand(tmp_path, "0", "right")
    hand = model.estimate(crop_of_sample(sample))
    truth = truth_mm(sample)
    assert truth is not None
    assert np.allclose(truth[0], 0)
    visible = sample.visible.copy()
    visible[0] = visible[0] or visible[12]
    expected = np.linalg.norm(hand.xyz_mm - truth, axis=1)[visible].mean()
    assert error_mm(hand, sample) == pytest.approx(expected, rel=1e-4)
    row = estimate_row(crop_of_sample(sample), hand, truth)
    assert [image.shape[0] for image in row] == [320, 320, 192, 192]
    assert estimate_sheet([row, row], ["12 mm", "7 mm"]).shape[0] > 2 * 160
    for colour in (draw.TRUTH, draw.PREDICTION):
        distance = np.abs(row[2].astype(int) - ImageColor.getrgb(colour)).sum(axis=-1)
        assert distance.min() < 100  # lines are translucent
