"""The comparison with multivae: units and budgets, and its bounds where multivae is installed."""

import sys
from dataclasses import replace

import pytest
import torch
from graphs import decoder, encoder
from tiny_hands import TINY, hands
from torch.distributions import Normal, kl_divergence

from latent_hands.build import build_batches, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data.labels import modality
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.folder import Place
from latent_hands.studies import compare_multivae

ALPHA, COUNT, SIZE = 0.3, 6, 4
SCALES = {"pose": 0.5, "cpose": 2.0}
PRIOR = Normal(torch.zeros(()), torch.ones(()))


@pytest.fixture
def joint_vaes():
    try:
        return compare_multivae.import_joint_vaes()
    except HandsError as error:
        pytest.skip(str(error))


def test_likelihoods_are_ours_over_beta():
    lam = {"rgb": 2.0, "pose": 1e6, "viewpoint": 0.5}
    scales = compare_multivae.noise_scales(Bound(("rgb",), lam, beta=100.0), {name: name for name in lam})
    for name, scale in scales.items():
        size = (3, *(n or 8 for n in modality(name).shape))
        truth, prediction = torch.randn(2, *size, dtype=torch.float64)
        gain = Normal(prediction, scale).log_prob(truth) - Normal(truth, scale).log_prob(truth)
        ours = lam[name] / 100.0 * modality(name).likelihood(truth.float(), prediction.float())
        torch.testing.assert_close(gain.flatten(1).sum(dim=1).float(), ours)
    with pytest.raises(HandsError, match='lam of "rgb" is 0'):
        compare_multivae.noise_scales(Bound(("rgb",), {"rgb": 0.0}, beta=1.0), {"rgb": "rgb"})


def test_stages_spend_the_budget():
    phase = Phase("cross_modal", (), epochs=19)
    assert [stage.epochs for stage in compare_multivae.stages("jmvae", phase, 10)] == [19]
    assert [stage.epochs for stage in compare_multivae.stages("telbo", phase, 9)] == [9, 10]
    for warmup in (0, 19):
        with pytest.raises(HandsError, match=f"warmup is {warmup} of 19"):
            compare_multivae.stages("telbo", phase, warmup)
    with pytest.raises(HandsError, match="minutes"):
        compare_multivae.stages("jmvae", replace(phase, minutes=1.0), 10)


def test_an_encoder_for_all_that_is_written():
    experiment = compare_multivae.with_encoders(load_experiment("cross_modal", TINY))
    vae = build_vae(experiment)
    assert {e.reads for e in vae.encoders.values()} == {"rgb", "pose"}
    assert len(build_phases(experiment, vae)) == 1
    for other in ("estimation", "synthesis"):
        with pytest.raises(HandsError, match="have one z"):
            compare_multivae.with_encoders(load_experiment(other, TINY))


def test_without_multivae_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "multivae", None)
    monkeypatch.delitem(sys.modules, "latent_hands.studies.joint_vaes", raising=False)
    with pytest.raises(HandsError, match=r"multivae.*pip install 'latent-hands\[baselines\]'") as error:
        compare_multivae.import_joint_vaes()
    assert "\n" not in str(error.value)


def two_poses(joint_vaes, method, corrected=False):
    """Return a joint VAE of two kinds of points, whose decoders always return zero, and a batch."""
    torch.manual_seed(0)
    sizes = {"z": SIZE}
    decoders = {name: decoder(name, sizes) for name in SCALES}
    for each in decoders.values():
        torch.nn.init.zeros_(each.network.layers[-1].weight)
    vae = DisentangledVAE(sizes, {name: encoder(name, sizes) for name in SCALES}, decoders)
    model = joint_vaes.joint_vae(method, vae, SCALES, 1, ALPHA, corrected)
    return vae, model, {name: torch.randn(COUNT, 21, 3) for name in SCALES}


def by_hand(vae, model, batch):
    """Return -log p, q(z | m) for every m, and q(z | all)."""
    explained = -sum(Normal(0.0, SCALES[name]).log_prob(x).sum() for name, x in batch.items()) / COUNT
    single = {name: vae.encode(name, batch)["z"] for name in batch}
    joint = model.joint_encoder(batch)
    every = Normal(joint.embedding, torch.exp(0.5 * joint.log_covariance))
    return explained, {n: Normal(q.mean, torch.exp(0.5 * q.log_var)) for n, q in single.items()}, every


def kl(p, q):
    return kl_divergence(p, q).sum() / COUNT


def test_jmvae_is_its_paper(joint_vaes):
    vae, model, batch = two_poses(joint_vaes, "jmvae")
    explained, single, joint = by_hand(vae, model, batch)
    wanted = explained + kl(joint, PRIOR) + ALPHA * sum(kl(joint, q) for q in single.values())
    torch.testing.assert_close(joint_vaes.loss(model, batch, 0), wanted)


def test_telbo_is_its_paper_once_corrected(joint_vaes):
    vae, model, batch = two_poses(joint_vaes, "telbo", corrected=True)
    explained, single, joint = by_hand(vae, model, batch)
    torch.testing.assert_close(joint_vaes.loss(model, batch, 0), explained + kl(joint, PRIOR))
    wanted = explained + sum(kl(q, PRIOR) for q in single.values())
    torch.testing.assert_close(joint_vaes.loss(model, batch, 1), wanted)


def test_what_the_correction_adds(joint_vaes):
    vae, model, batch = two_poses(joint_vaes, "telbo")
    explained, single, joint = by_hand(vae, model, batch)
    right = explained + sum(kl(q, PRIOR) for q in single.values())
    lacking = sum((joint.scale.log() - q.scale.log()).sum() for q in single.values()) / COUNT
    torch.testing.assert_close(joint_vaes.loss(model, batch, 1) + lacking, right)


def test_the_second_stage_trains_encoders_alone(joint_vaes):
    experiment = compare_multivae.with_encoders(load_experiment("cross_modal", TINY))
    vae = build_vae(experiment)
    (phase,) = build_phases(experiment, vae)
    model = joint_vaes.joint_vae("telbo", vae, {"rgb": 0.1, "pose": 0.1}, 1, ALPHA, True)
    batches = build_batches(experiment, hands().training, replace(phase, batch_size=8), 0)
    place, trained = Place(), []
    for stage in compare_multivae.stages("telbo", replace(phase, epochs=2), 1):
        before = {name: p.detach().clone() for name, p in vae.named_parameters()}
        lines = list(
            compare_multivae.learn(joint_vaes, model.train(), stage, batches, experiment.training, place)
        )
        trained.append({n.split(".")[0] for n, p in vae.named_parameters() if not p.equal(before[n])})
        assert lines[-1]["update"] == place.update
    assert trained == [{"decoders"}, {"encoders"}]
    assert place.update == 2 * len(batches)
    assert lines[-1]["epoch"] == 2
