"""2D joints and other weak labels: unknown labels add nothing, and 2D labels alone train an encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from tiny_hands import hands, windows

from latent_hands.build import Hands, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data import prepare
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment
from latent_hands.data.crops import build_windows
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.data.windows import known_hands
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.paper.bound import Bound, total
from latent_hands.runs.folder import load_run
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.training import train
from latent_hands.training.feeds import feeds_of

TINY = [
    *("--networks.width=4", "--networks.hidden=16", "--networks.layers=2", "--data.crop_px=16"),
    *("--data.frame=camera", "--training.batch_size=8", "--training.warmup=0", "--data.root=."),
]
SHORT = [f"--phases.{name}.epochs=1" for name in ("disentangle", "embed_pose", "embed_rgb")] + [
    f"--phases.{name}.batch_size=8" for name in ("disentangle", "embed_pose", "embed_rgb")
]
WEAK = "--supervision.weak={uv=11.0,viewpoint=1.0}"
UV = Bound(("rgb",), {"uv": 11.0}, beta=0.01)


def placement(*options):
    return load_experiment("placement", [*TINY, *SHORT, *options])


def crops(data, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return augment(data, torch.arange(len(data)), 16, Augmentation.none(), generator)


def gradients(bound, data):
    vae = build_vae(placement())
    total(bound.terms(vae, data, torch.Generator().manual_seed(0))).backward()
    return {name: p.grad for name, p in vae.named_parameters() if p.grad is not None}


def without(data, joints):
    uv_px = data.uv_px.clone()
    uv_px[:, joints] = torch.nan
    return data.with_labels(uv_px=uv_px)


def test_a_joint_without_label_gives_no_gradient():
    """Wherever the decoder puts it, it has no part in the likelihood and in its gradient."""
    data = crops(without(windows(6), [3, 7]))
    found = UV.evaluate(build_vae(placement()), data, torch.Generator().manual_seed(0)).predictions["uv"]
    output = found.output.detach().requires_grad_()
    replace(found, output=output).log_likelihood().sum().backward()
    assert (output.grad[:, [3, 7]] == 0).all()
    known = [joint for joint in range(21) if joint not in (3, 7)]
    torch.testing.assert_close(output.grad[:, known], (data["uv"] - output)[:, known].detach())


def test_with_all_joints_weak_labels_are_full_supervision():
    """Labels that are all known give the terms of the bound without masks."""
    data, vae = crops(windows(6)), build_vae(placement())
    bound = Bound(("rgb",), {"uv": 11.0, "viewpoint": 1.0, "pose": 1.0}, beta=0.01)
    terms = {t.name: t.value for t in bound.terms(vae, data, torch.Generator().manual_seed(0))}
    found = bound.evaluate(vae, data, torch.Generator().manual_seed(0))
    for name, prediction in found.predictions.items():
        error = (prediction.truth - prediction.output).square().flatten(1).sum(dim=1)
        torch.testing.assert_close(terms[f"log_p_{name}"], -0.5 * error.mean())
    for factor in bound.factors(vae):
        torch.testing.assert_close(terms[f"kl_{factor}"], found.posterior[factor].kl().mean())


def test_hands_of_which_nothing_is_known_only_shrink_the_mean():
    data = windows(6)
    half = data.with_labels(uv_px=data.uv_px.where(torch.arange(6)[:, None, None] < 3, torch.nan))
    some, first = gradients(UV, crops(half)), gradients(replace(UV, drawn=False), crops(half))
    assert all(grad.isfinite().all() for grad in some.values())
    alone = gradients(replace(UV, drawn=False), crops(data.select(range(3))))
    for name in first:
        if name.startswith("decoders."):  # BatchNorm mixes the images of a batch in the encoder
            assert first[name].shape == alone[name].shape


def test_the_kl_counts_the_factors_from_which_something_known_is_decoded():
    vae, data = build_vae(placement()), crops(windows(4))
    data["uv"][:2] = torch.nan
    data["viewpoint"][1:3] = torch.nan
    bound = Bound(("rgb",), {"uv": 1.0, "viewpoint": 1.0}, beta=1.0)
    found = bound.evaluate(vae, data, torch.Generator().manual_seed(0))
    terms = {t.name: t.value for t in bound.terms(vae, data, torch.Generator().manual_seed(0))}
    of = {"cpose": [2, 3], "place": [2, 3], "viewpoint": [0, 2, 3]}
    for factor, counted in of.items():
        expected = found.posterior[factor].kl()[counted].sum() / 4
        torch.testing.assert_close(terms[f"kl_{factor}"], expected)


def test_unknown_joints_move_with_their_image_and_its_mirror_image():
    """A mirrored crop has the mirrored joints, and the same joints are unknown."""
    data = replace(without(windows(4), [0, 5]), right_hands="condition")
    plain = crops(data)
    flipped = augment(
        data, torch.arange(4), 16, replace(Augmentation.none(), flip=1.0), torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(flipped["uv"], plain["uv"] * torch.tensor([-1.0, 1.0]), equal_nan=True)
    assert plain["uv"].isnan().any(dim=-1).nonzero()[:, 1].unique().tolist() == [0, 5]
    assert plain["place"].isnan().any(dim=1).all()  # the palm is unknown


def test_the_size_of_a_hand_is_that_of_its_known_joints():
    pose, uv = torch.randn(3, 21, 3), torch.rand(3, 21, 2)
    pose[:, 0] = 0
    uv[:] = 0.3 * pose[..., :2] + 0.1
    uv[1, 4:9] = torch.nan
    torch.testing.assert_close(geometry.place(pose, uv)[1, 2], torch.tensor(0.3).log())


def test_unknown_hands_stay_unknown_in_every_frame():
    xyz_mm = torch.randn(3, 21, 3)
    xyz_mm[1] = torch.nan
    pose, bone_mm = geometry.normalise(xyz_mm)
    cpose, viewpoint = geometry.canonicalise(pose)
    for values in (pose, bone_mm, cpose, viewpoint):
        assert values.flatten(1).isnan().all(dim=1).tolist() == [False, True, False] if values.ndim > 1 else 1
    xyz_mm[1, 0] = 0
    with pytest.raises(HandsError, match="degenerate hand at sample 1"):
        geometry.normalise(xyz_mm)


@pytest.fixture
def mixed(tmp_path):
    """Four hands: with 3D and 2D, with 2D alone, with 2D of some joints, and without labels."""
    full, plain, some, bare = painted_hands(tmp_path, 4)
    labelled = np.arange(21) != 6
    return [
        full,
        replace(plain, xyz_mm=None, K=None),
        replace(some, xyz_mm=None, K=None, labelled=labelled, visible=labelled),
        replace(bare, xyz_mm=None, K=None, uv_px=None, visible=None),
    ]


def test_each_hand_declares_what_is_known_of_it(mixed):
    data = build_windows(mixed, window_px=32)
    assert known_hands(data, "pose").tolist() == [True, False, False, False]
    assert known_hands(data, "uv").tolist() == [True, True, False, False]
    assert known_hands(data, "place").tolist() == [True, False, False, False]
    assert known_hands(data, "rgb").all()
    assert known_hands(data, "right").all()  # one number a hand
    assert data.uv_px[2].isnan().any(dim=-1).nonzero().ravel().tolist() == [6]


def test_a_store_keeps_what_is_unknown(mixed, tmp_path, monkeypatch):
    """Shards have different labels: here, one hand each."""
    monkeypatch.setattr(prepare, "SHARD_BYTES", 1)
    monkeypatch.setattr(prepare, "open_data", lambda name, root, split: mixed)
    cut = Cut("coco", "box", "mirror", 1.75, 32)
    prepare.prepare(tmp_path, tmp_path / "store", {"training": cut})
    stored, built = open_windows(tmp_path / "store", "training", cut), build_windows(mixed, window_px=32)
    assert stored.labels.keys() == built.labels.keys()
    for name, values in built.labels.items():
        torch.testing.assert_close(stored.labels[name], values, equal_nan=True)


def partly(count=40):
    """Hands of which the first half has 3D labels, the next quarter 2D ones, and the last none."""
    data = windows(count, seed=3)
    number = torch.arange(count)
    labels = {}
    for name, known in (("pose", count // 2), ("xyz_mm", count // 2), ("uv_px", 3 * count // 4)):
        values = data.labels[name]
        labels[name] = values.where((number < known)[:, None, None], torch.nan)
    return Hands(data.with_labels(**labels), windows(12, seed=1))


def test_hands_that_lack_a_label_are_the_rest():
    experiment, data = placement(WEAK), partly()
    vae = build_vae(experiment)
    feeds = feeds_of(experiment, vae, build_phases(experiment, vae), data)
    assert {feed: len(each) for feed, each in feeds.items()} == {"all": 20, "labelled": 20, "rest": 20}
    fewer = replace(experiment, supervision=replace(experiment.supervision, labelled=0.25))
    feeds = feeds_of(fewer, vae, build_phases(fewer, vae), data)
    assert {feed: len(each) for feed, each in feeds.items()} == {"all": 20, "labelled": 10, "rest": 30}


def test_a_mixed_set_trains_in_as_many_steps_as_a_labelled_one(tmp_path):
    assert train(placement(WEAK), tmp_path / "run", hands=partly())
    lines = read_metrics(tmp_path / "run" / METRICS)
    assert lines[-1]["update"] == 3 * 5
    assert any("rest_log_p_uv" in line for line in lines)


def test_two_dimensional_labels_alone_train_an_encoder_end_to_end(tmp_path):
    """In a finished latent, 2D joints alone train the encoder of images, and their error falls.

    The brightness of an image determines z, and its joints are what the decoder makes of this z.
    """
    data = windows(24)
    assert train(placement(), tmp_path / "finished", hands=Hands(data, None))
    vae, _ = load_run(tmp_path / "finished")
    s, generator = torch.linspace(-2, 2, 24)[:, None], torch.Generator().manual_seed(1)
    z = {factor: s * torch.randn(1, size, generator=generator) for factor, size in vae.latent.items()}
    uv_px = vae.decode("uv", z).detach() * 8 + 7.5  # the inverse of `to_crop_units` at 16 px
    grey = (128 + 60 * s).byte()[..., None, None].expand(24, 3, 16, 16).contiguous()
    data = data.with_labels(xyz_mm=None, pose=None, bone_mm=None, K=None, uv_px=uv_px)
    data = replace(data, images={"rgb": ImageStack(grey)})
    options = [
        *("--algorithm.finished=true", '--algorithm.embed=["rgb"]', "--supervision.labelled=0"),
        *("--supervision.weak={uv=100.0}", f"--training.start={tmp_path / 'finished'}"),
        *("--phases.embed_rgb.epochs=20", "--phases.embed_rgb.learning-rate=3e-3"),
        "--training.validate_every=5",
    ]
    experiment = replace(placement(*options), augmentation=None)
    assert train(experiment, tmp_path / "flat", hands=Hands(data, data))
    before, after = (load_run(tmp_path / name)[0].state_dict() for name in ("finished", "flat"))
    changed = {name.split(".")[1] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"rgb"}
    errors = [line["uv_rmse"] for line in read_metrics(tmp_path / "flat" / METRICS) if "uv_rmse" in line]
    assert errors[-1] < 0.8 * errors[0]


def test_weak_labels_alone_need_a_finished_latent(tmp_path):
    with pytest.raises(HandsError, match=r'no hands for the feed "labelled": .supervision. labelled is 0'):
        train(placement(WEAK, "--supervision.labelled=0"), tmp_path / "run", hands=hands())
