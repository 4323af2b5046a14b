"""The bound: values computed by hand, the equations of the paper, and no gradient to absent arrows."""

from dataclasses import replace

import pytest
import torch
from graphs import batch, estimation, synthesis

from latent_hands.beyond import Agreement, Features, Rereading
from latent_hands.errors import HandsError
from latent_hands.paper.bound import Bound, Evaluation, Prediction, total
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, draw


def values(vae, bound, data, **kwargs):
    return {t.name: t for t in bound.terms(vae, data, torch.Generator().manual_seed(0), **kwargs)}


def test_eq_2_by_hand():
    vae, data = estimation(), batch()
    bound = Bound(("cpose", "viewpoint"), {"pose": 1.0, "cpose": 0.01, "viewpoint": 0.02}, beta=0.1)
    posterior = vae.infer(bound.encoders, data)
    z = draw(posterior, torch.Generator().manual_seed(0))
    by_hand = 0.0
    for arrow, lam in bound.decoders.items():
        by_hand -= lam * 0.5 * ((data[arrow] - vae.decode(arrow, z)) ** 2).sum() / 6
    for q in posterior.values():
        by_hand -= 0.1 * 0.5 * (q.mean**2 + q.log_var.exp() - 1 - q.log_var).sum() / 6
    terms = bound.terms(vae, data, torch.Generator().manual_seed(0))
    torch.testing.assert_close(total(terms), by_hand)


@pytest.mark.parametrize(
    ("graph", "bound", "names"),
    [
        (synthesis, Bound(("rgb",), {"rgb": 1.0, "pose": 1.0}, 1.0), "rgb pose | pose tag"),  # Eq. 1
        (
            synthesis,
            Bound(("pose", "tag"), {"rgb": 1.0, "pose": 1.0, "tag": 1.0}, 1.0),
            "rgb pose tag | pose tag",
        ),  # 2
        (
            synthesis,
            Bound(("rgb",), {"rgb": 1.0, "pose": 1.0, "tag": 1.0}, 1.0),
            "rgb pose tag | pose tag",
        ),  # Eq. 4
        (
            synthesis,
            Bound(("pose", "u"), {"rgb_u": 1.0, "pose_u": 1.0}, 1.0),
            "rgb_u pose_u | pose u",
        ),  # Eq. 6
        (
            estimation,
            Bound(("rgb",), {"pose": 1.0, "cpose": 1.0}, 1.0),
            "pose cpose | cpose viewpoint",
        ),  # Eq. 8
    ],
)
def test_the_equations_of_the_paper_have_their_terms(graph, bound, names):
    terms = bound.terms(graph(), batch())
    explained, divergence = (part.split() for part in names.split("|"))
    assert [t.name for t in terms] == [f"log_p_{a}" for a in explained] + [f"kl_{f}" for f in divergence]
    assert torch.isfinite(total(terms))


def test_kl_covers_only_the_factors_that_the_decoders_read():
    vae, data = estimation(), batch()
    weak = Bound(("rgb",), {"viewpoint": 1.0}, beta=1.0)
    assert list(values(vae, weak, data)) == ["log_p_viewpoint", "kl_viewpoint"]
    total(weak.terms(vae, data)).backward()
    head = vae.encoder("rgb").network.head.weight.grad
    assert head is not None
    assert not head[:3].any(), "no decoder reads z_cpose"
    assert head[3:5].any()


def test_absent_arrows_receive_no_gradient():
    vae, data = estimation(), batch()
    total(Bound(("cpose",), {"cpose": 1.0}, 1.0).terms(vae, data)).backward()
    touched = {name.split(".network")[0] for name, p in vae.named_parameters() if p.grad is not None}
    assert touched == {"encoders.cpose", "decoders.cpose"}


def test_noise_carries_neither_kl_nor_gradient():
    vae, data = synthesis(), batch()
    bound = Bound(("pose", "u"), {"pose_u": 1.0}, 1.0)
    terms = bound.terms(vae, data, noise={"u": "other"})
    assert [t.name for t in terms] == ["log_p_pose_u", "kl_pose"]
    total(terms).backward()
    assert all(p.grad is None for p in vae.encoder("u").parameters())
    assert all(p.grad is not None for p in vae.encoder("pose").parameters())


def test_weights_scale_terms_linearly():
    vae, data = estimation().eval(), batch()
    one = values(vae, Bound(("pose",), {"pose": 1.0}, 1.0), data)
    two = values(vae, Bound(("pose",), {"pose": 2.0}, 3.0), data)
    assert torch.equal(one["log_p_pose"].value, two["log_p_pose"].value)
    assert (two["log_p_pose"].weight, two["kl_cpose"].weight) == (2.0, -3.0)


def test_absent_data_is_an_error():
    data = batch()
    del data["cpose"]
    with pytest.raises(HandsError, match='decoder "cpose" needs "cpose", which is absent'):
        Bound(("rgb",), {"cpose": 1.0}, 1.0).terms(estimation(), data)


def test_agreement_is_the_divergence_from_the_posterior_of_the_labels():
    vae, data = estimation(), batch()
    bound = Bound(("rgb",), {"pose": 1.0}, 0.1, extra=(Agreement({"cpose": 2.0, "pose": 0.5}),))
    found = values(vae, bound, data)
    q = vae.infer(("rgb",), data)
    cpose, pose = vae.infer(("cpose",), data), vae.infer(("pose",), data)
    torch.testing.assert_close(found["agree_cpose"].value, cpose["cpose"].kl_to(q["cpose"]).mean())
    both = sum(pose[f].kl_to(q[f]) for f in ("cpose", "viewpoint"))
    torch.testing.assert_close(found["agree_pose"].value, both.mean())
    assert (found["agree_cpose"].weight, found["agree_pose"].weight) == (-2.0, -0.5)


def test_features_are_compared_where_an_image_is_decoded():
    vae, data = synthesis(), batch()
    explained = Bound(("pose", "tag"), {"rgb": 1.0}, 0.0, extra=(Features({"rgb": 0.5}),))
    found = values(vae, explained, data)
    assert found["features_rgb"].weight == 0.5
    assert found["features_rgb"].value < 0
    total(explained.terms(vae, data)).backward()
    assert all(p.grad is not None for p in vae.decoder("rgb").parameters())
    unpainted = replace(explained, decoders={"pose": 1.0})
    assert "features_rgb" not in values(vae, unpainted, data)


def test_agreement_does_not_train_the_encoders_of_labels():
    vae = estimation()
    bound = Bound(("rgb",), {"pose": 0.0}, 0.0, extra=(Agreement({"cpose": 1.0}),))
    total(bound.terms(vae, batch())).backward()
    assert all(p.grad is None for p in vae.encoder("cpose").parameters())
    assert any(p.grad.abs().max() > 0 for p in vae.encoder("rgb").parameters())


def test_agreement_is_best_where_the_variance_is_the_squared_error():
    """The best variance for a fixed mean is the mean squared error plus the label's own variance."""
    given, mean = Gaussian(torch.randn(4000, 1), torch.full((4000, 1), -3.0)), torch.zeros(4000, 1)
    log_var = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([log_var], lr=0.1)
    for _ in range(200):
        loss = given.kl_to(Gaussian(mean, log_var.expand(4000, 1))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    expected = given.mean.square().mean() + given.log_var.exp().mean()
    torch.testing.assert_close(log_var.exp().squeeze(), expected, rtol=1e-3, atol=1e-3)


def evaluation(vae, data, z):
    """Return an evaluation in which the image was decoded perfectly."""
    predictions = {"rgb": Prediction(vae.decoder("rgb"), data["rgb"], data["rgb"])}
    return Evaluation(vae, data, {}, z, predictions, torch.Generator().manual_seed(0))


AGAIN = Rereading("rgb", "rgb", 2.0, ("tag",))


def test_rereading_trains_the_decoder_of_the_image_alone():
    vae, data = synthesis(), batch()
    bound = Bound(("pose", "tag"), {"rgb": 0.0}, 0.0, extra=(AGAIN,))
    assert values(vae, bound, data)["reread_rgb"].weight == 2.0
    vae.encoders.requires_grad_(False)
    total(bound.terms(vae, data)).backward()
    assert all(p.grad is not None for p in vae.decoder("rgb").parameters())
    assert all(p.grad is None for name in ("pose", "tag") for p in vae.decoder(name).parameters())


def test_rereading_is_best_if_the_encoder_infers_the_decoded_latent(monkeypatch):
    """The density of z' is highest if the encoder's mean for the decoded image is z'."""
    vae, data = synthesis(), batch()
    read = vae.encode("rgb", data)
    inferred, other = ({f: q.mean + move for f, q in read.items()} for move in (0.0, 0.5))
    monkeypatch.setattr("latent_hands.beyond.rereading.soften", lambda image, generator: image)
    without_borrowing = replace(AGAIN, borrowed=())
    best = without_borrowing.log_density(evaluation(vae, data, inferred))
    torch.testing.assert_close(best, -0.5 * sum(q.log_var.sum(dim=1) for q in read.values()))
    assert (best > without_borrowing.log_density(evaluation(vae, data, other))).all()


def test_rereading_borrows_factors_of_other_samples(monkeypatch):
    vae, data, decode, decoded = synthesis(), batch(), DisentangledVAE.decode, []
    z = draw(vae.infer(("pose", "tag"), data))
    monkeypatch.setattr(DisentangledVAE, "decode", lambda *a: decoded.append(a[2]) or decode(*a))
    AGAIN.log_density(evaluation(vae, data, z))
    assert torch.equal(decoded[0]["pose"], z["pose"])
    assert not (decoded[0]["tag"] == z["tag"]).all(dim=1).any()
    assert torch.equal(decoded[0]["tag"].sort(dim=0)[0], z["tag"].sort(dim=0)[0])


def with_weights(data, *weights):
    return {**data, "weight": torch.tensor(weights)}


ESTIMATES = Bound(
    ("rgb",),
    {"pose": 1.0, "cpose": 0.5},
    0.1,
    drawn=False,
    extra=(Agreement({"cpose": 0.3, "viewpoint": 0.2}),),
)


def test_samples_of_weight_1_give_the_bound_without_weights_to_the_bit():
    vae, data = estimation(), batch()
    plain, weighted = (values(vae, ESTIMATES, each) for each in (data, with_weights(data, *[1.0] * 6)))
    assert {name: term.value.item() for name, term in plain.items()} == {
        name: term.value.item() for name, term in weighted.items()
    }


def test_samples_of_weight_0_are_left_out_of_every_sum():
    vae, data = estimation().eval(), batch()
    kept = {key: each[:4] for key, each in data.items()}
    weighted = values(vae, ESTIMATES, with_weights(data, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0))
    for name, term in values(vae, ESTIMATES, kept).items():
        torch.testing.assert_close(weighted[name].value * 6, term.value * 4)


def test_a_sample_of_weight_2_counts_like_two_samples():
    vae, data = estimation().eval(), batch()
    twice = {key: torch.cat([each, each[:1]]) for key, each in data.items()}
    weighted = values(vae, ESTIMATES, with_weights(data, 2.0, *[1.0] * 5))
    for name, term in values(vae, ESTIMATES, twice).items():
        torch.testing.assert_close(weighted[name].value * 6, term.value * 7)
