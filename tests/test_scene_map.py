"""The map of places: what its encoder starts with, and where its numbers matter in the image."""

import pytest
import torch
from tiny_models import SYNTHESIS

from latent_hands.beyond.fine_painter import FinePainter
from latent_hands.beyond.map_painter import MapPainter
from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.networks.resnet import ResNet18
from latent_hands.networks.scene_map import CHANNELS, NUMBERS, SIDE, MapResNet18

VECTOR = 6


def painter() -> MapPainter:
    torch.manual_seed(0)
    return MapPainter(VECTOR + NUMBERS, 64, 8, precision="float32").eval()


def test_before_training_the_map_is_the_prior_and_the_rest_is_that_of_resnet18():
    torch.manual_seed(0)
    network, plain = MapResNet18(2 * (VECTOR + NUMBERS), 64, 8), ResNet18(2 * VECTOR, 8)
    plain.load_state_dict({name: t for name, t in network.state_dict().items() if name in plain.state_dict()})
    image = torch.randn(2, 3, 64, 64)
    parts = network.eval()(image).split([VECTOR, NUMBERS] * 2, dim=1)
    torch.testing.assert_close(torch.cat([parts[0], parts[2]], dim=1), plain.eval()(image))
    assert not parts[1].any()
    assert not parts[3].any()


def test_before_training_the_map_adds_nothing():
    z, pose = torch.randn(2, VECTOR + NUMBERS), torch.randn(2, 21, 3)
    first = painter()(z, None, pose)
    z[:, VECTOR:] = torch.randn(2, NUMBERS)
    assert torch.equal(painter()(z, None, pose), first)
    plain = FinePainter(VECTOR, 64, 8, precision="float32").eval()
    own = painter().state_dict()
    plain.load_state_dict({name: own[name] for name in plain.state_dict()})
    torch.testing.assert_close(plain(z[:, :VECTOR], None, pose), first, rtol=0, atol=0.02)


@pytest.mark.parametrize("place", [(0, 0), (3, 5), (7, 2)])
def test_a_place_of_the_map_changes_the_image_there_alone(place):
    network = painter()
    torch.nn.init.normal_(network.coarse.scene.paint.weight)
    z, pose = torch.randn(1, VECTOR + NUMBERS), torch.randn(1, 21, 3)
    other = z.clone()
    other[:, VECTOR:].view(CHANNELS, SIDE, SIDE)[:, place[0], place[1]] += 5
    changed = (network(z, None, pose) - network(other, None, pose)).abs().amax(dim=(0, 1)) > 1e-6
    rows, columns = changed.nonzero().T
    step, reach = 64 // SIDE, 30  # half of the receptive field
    for at, found in zip(place, (rows, columns), strict=True):
        assert step * at - reach <= found.min()
        assert found.max() < step * (at + 1) + reach


@pytest.mark.parametrize(
    ("old", "new"),
    [('factors = ["tag"]', 'factors = ["tag"], network = "resnet18_map"'), ("over", "over")],
)
def test_networks_without_a_map_are_refused(tmp_path, old, new):
    text = SYNTHESIS.replace(
        'rgb = { writes = "rgb", factors = ["pose", "tag"] }',
        'rgb = { writes = "rgb", factors = ["pose", "tag"], over = "pose", network = "map_painter" }',
    )
    (tmp_path / "e.toml").write_text(SYNTHESIS.replace(old, new) if old != new else text)
    with pytest.raises(HandsError, match=f"more than {NUMBERS} numbers"):
        build_vae(load_experiment(tmp_path / "e.toml"))
