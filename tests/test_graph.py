"""The graph: arrows infer and read their factors only, and errors name the arrow and the factor."""

import pytest
import torch
from graphs import batch, decoder, encoder, estimation, synthesis

from latent_hands.errors import HandsError
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import means


def test_an_encoder_infers_its_factors_and_a_decoder_writes_its_modality():
    vae, data = estimation(), batch()
    posterior = vae.encode("rgb", data)
    assert {factor: q.mean.shape for factor, q in posterior.items()} == {"cpose": (6, 3), "viewpoint": (6, 2)}
    for arrow in vae.decoders:
        assert vae.decode(arrow, means(posterior)).shape == data[arrow].shape


def test_a_graph_names_what_it_reads_and_writes_once():
    vae = estimation()
    assert vae.reads == ("cpose", "viewpoint", "pose", "rgb")
    assert vae.writes == ("cpose", "viewpoint", "pose")
    encoders = {name: vae.encoder(name) for name in vae.encoders} | {"again": vae.encoder("rgb")}
    assert DisentangledVAE(vae.latent, encoders, {}).reads == vae.reads
    parts = {".".join(name.split(".")[:2]) for name in vae.state_dict()}
    assert parts == set(vae.arrows)


def test_log_variances_are_clamped():
    vae = estimation()
    with torch.no_grad():
        for p in vae.encoder("cpose").network.layers[-1].parameters():
            p.fill_(1e6)
    log_var = vae.encode("cpose", batch())["cpose"].log_var
    assert torch.equal(log_var, torch.full_like(log_var, 10.0))


def test_a_decoder_reads_only_its_own_factors():
    vae, z = estimation(), {"cpose": torch.randn(4, 3), "viewpoint": torch.randn(4, 2)}
    other = z | {"viewpoint": torch.randn(4, 2)}
    assert torch.equal(vae.decode("cpose", z), vae.decode("cpose", other))
    assert not torch.equal(vae.decode("pose", z), vae.decode("pose", other))


def test_the_encoders_of_the_labels_infer_the_whole_latent():
    vae, data = estimation().eval(), batch()
    posterior = vae.infer(("cpose", "viewpoint"), data)
    assert posterior.keys() == {"cpose", "viewpoint"}
    for factor, q in posterior.items():
        assert torch.equal(q.mean, vae.encode(factor, data)[factor].mean)


def test_a_factor_inferred_twice_is_an_error():
    with pytest.raises(HandsError, match='factor "cpose" is inferred twice'):
        estimation().infer(("cpose", "pose"), batch())


def test_the_handedness_changes_the_output_of_a_sided_arrow():
    vae, data = estimation(sided=True).eval(), batch()
    flipped = data | {"right": ~data["right"]}
    left, right = (means(vae.encode("rgb", b)) for b in (data, flipped))
    assert not torch.equal(left["cpose"], right["cpose"])
    assert not torch.equal(vae.decode("pose", left, data["right"]), vae.decode("pose", left, ~data["right"]))
    with pytest.raises(HandsError, match='is conditioned on the side, but "right" is missing'):
        vae.decode("pose", left)
    with pytest.raises(HandsError, match='encoder "rgb" needs "right"'):
        vae.encode("rgb", {"rgb": data["rgb"]})


def test_unknown_factors_arrows_and_absent_data_are_named():
    with pytest.raises(HandsError, match='encoder "pose" names unknown factor "cpos"; did you mean "cpose"'):
        DisentangledVAE({"cpose": 3}, {"pose": encoder("pose", {"cpos": 3})}, {})
    with pytest.raises(HandsError, match='decoder "pose" names unknown factor "u"'):
        DisentangledVAE({"cpose": 3}, {}, {"pose": decoder("pose", {"u": 3})})
    with pytest.raises(HandsError, match='unknown encoder "rbg"; did you mean "rgb"'):
        estimation().encode("rbg", batch())
    with pytest.raises(HandsError, match='unknown decoder "rgb"'):
        estimation().decode("rgb", {})
    with pytest.raises(HandsError, match='encoder "tag" needs "tag", which is absent; present: pose'):
        synthesis().encode("tag", {"pose": batch()["pose"]})
    with pytest.raises(HandsError, match='decoder "pose" needs "viewpoint"'):
        estimation().decode("pose", {"cpose": torch.zeros(2, 3)})


def test_image_arrows_return_float32():
    vae, data = synthesis(), batch()
    posterior = vae.infer(("pose", "tag"), data)
    assert posterior["tag"].mean.dtype == vae.decode("rgb", means(posterior)).dtype == torch.float32


def test_a_handedness_of_another_batch_size_raises():
    with pytest.raises(Exception, match="side"):
        estimation(sided=True).encoder("rgb")(torch.zeros(4, 3, 16, 16), torch.zeros(5, 2))
