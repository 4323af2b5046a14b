"""Images painted over a decoded pose: laws of the drawing, of the painter, and of their gradients."""

import pytest
import torch
from graphs import PX, batch, decoder, encoder

from latent_hands.beyond.fine_painter import FinePainter, Smooth, enlarge
from latent_hands.beyond.painter import (
    CHANNELS,
    FAINT,
    HandPainter,
    Modulated,
    PaintedDecoder,
    check_over,
    draw_bones,
)
from latent_hands.configuration import load_experiment, write_experiment
from latent_hands.data.labels import modality
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.skeleton import BONES, MIDDLE_MCP
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.typed_toml import parse

COUNT = CHANNELS - 1


def poses(count=3):
    return torch.randn(count, 21, 3, generator=torch.Generator().manual_seed(0))


def test_a_bone_is_drawn_where_its_ends_project():
    px = 64
    ends = torch.tensor([[-1.0, 0.5, 2.0], [1.0, 0.5, 2.0]])
    pose = torch.zeros(1, 21, 3)
    pose[0, BONES[0][0]], pose[0, BONES[0][1]] = ends
    line = draw_bones(pose, px)[0, 0]
    column, row = ((ends[:, :2] * 2 / SCENE_BONES + 1) * px / 2 - 0.5).round().long().T
    assert (line[row[0], column[0] : column[1] + 1] > 0.9).all()
    assert line[row[0] + px // 4].max() < 1e-3


def test_the_wrist_mirrors_the_middle_mcp_and_the_arm_continues_behind_it():
    pose = torch.zeros(1, 21, 3)
    pose[0, MIDDLE_MCP] = torch.tensor([0.0, -1.2, 0])
    to_wrist, arm = draw_bones(pose, 64)[0, COUNT - 2 : COUNT, :, 31:33].mean(dim=2)
    rows = (torch.arange(64) + 0.5 - 32) / 64 * SCENE_BONES
    assert (to_wrist[(rows > 0) & (rows < 1.2)] > 0.9).all()
    assert (arm[rows > 1.2] > 0.9).all()
    assert to_wrist[rows > 2.2].max() < 1e-3
    assert arm[rows < 0.2].max() < 1e-3


def test_far_lines_are_faint_but_not_subnormal():
    """Processors take twenty times as long for subnormal numbers."""
    lines = draw_bones(10 * poses(), 64)[:, :COUNT]
    assert torch.finfo(torch.float32).tiny * 1e6 < lines.min() < 1e-20


def test_a_modulated_layer_is_its_parts_in_training_and_in_evaluation():
    torch.manual_seed(0)
    layer, x, z = Modulated(4, 6, 3), torch.randn(5, 4, 8, 8), torch.randn(5, 3)
    for mode in (True, False):
        whole = layer.train(mode)(x, z)
        gain, offset = layer.decide(z)[:, :, None, None].chunk(2, dim=1)
        norm = layer.norm if not mode else torch.nn.BatchNorm2d(6, affine=False)
        torch.testing.assert_close(whole, norm(layer.conv(x)) * (1 + gain) + offset)


def test_depth_is_that_of_the_bones_and_zero_elsewhere():
    pose = poses(1)
    pose[..., 2] = 1.5
    drawn = draw_bones(pose, 32)[0]
    cover, depth = drawn[:COUNT].sum(dim=0), drawn[COUNT]
    torch.testing.assert_close(depth, 1.5 * 2 / SCENE_BONES * cover / (cover + FAINT))


def test_a_rotated_hand_is_drawn_rotated_and_depth_moves_no_line():
    pose = poses()
    quarter = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    turned = draw_bones(pose @ quarter, 16)
    torch.testing.assert_close(turned, draw_bones(pose, 16).rot90(-1, (2, 3)), rtol=1e-3, atol=1e-4)
    deeper = draw_bones(pose + torch.tensor([0.0, 0, 5]), 16)
    torch.testing.assert_close(deeper[:, :COUNT], draw_bones(pose, 16)[:, :COUNT])


def test_a_bone_that_points_at_the_camera_is_a_finite_dot():
    drawn = draw_bones(torch.zeros(1, 21, 3), 8)
    assert drawn.isfinite().all()
    assert drawn[:, :COUNT].amax() > 0.4


def graph(over="pose"):
    torch.manual_seed(0)
    painter = HandPainter(5, PX, 4, 1)
    decoders = {"pose": decoder("pose", {"pose": 3}), "tag": decoder("tag", {"tag": 2})}
    decoders["rgb"] = decoder("rgb", {"pose": 3, "tag": 2})
    check_over("rgb", ("pose", "tag"), over, decoders)
    decoders["rgb"] = PaintedDecoder(modality("rgb"), ("pose", "tag"), painter, decoders[over])
    encoders = {"pose": encoder("pose", {"pose": 3}), "tag": encoder("tag", {"tag": 2})}
    return DisentangledVAE({"pose": 3, "tag": 2}, encoders, decoders)


def test_the_image_follows_the_decoded_pose():
    vae, z = graph().eval(), {"pose": torch.randn(4, 3), "tag": torch.randn(4, 2)}
    before = vae.decode("rgb", z)
    with torch.no_grad():
        vae.decoder("pose").network.layers[-1].bias += torch.rand(63)
    assert not torch.equal(before, vae.decode("rgb", z))


def test_images_do_not_train_the_pose_decoder():
    vae = graph()
    terms = Bound(("pose", "tag"), {"rgb": 1.0}, 0.0).terms(vae, batch())
    terms[0].value.backward()
    assert all(p.grad is None for p in vae.decoder("pose").parameters())
    assert all(p.grad is not None for p in vae.encoder("pose").parameters())


@pytest.mark.parametrize("over", ["tag", "rgb", "poes"])
def test_an_image_is_painted_over_a_decoder_of_the_pose_only(over):
    with pytest.raises(
        HandsError,
        match=f'decoder "rgb" cannot paint over "{over}"; it must be a decoder of the pose .*: pose',
    ):
        graph(over)


def test_an_experiment_names_the_decoder_that_an_image_is_painted_over():
    experiment = load_experiment("synthesis", ["--decoders.rgb.over", "pose"])
    assert experiment.decoders["rgb"].over == "pose"
    assert parse(write_experiment(experiment), "test")["decoders"]["rgb"]["over"] == "pose"
    assert load_experiment("synthesis").decoders["rgb"].over is None


def test_the_painter_moves_its_hand_with_the_drawing():
    torch.manual_seed(0)
    painter = HandPainter(3, 32, 8).eval()
    with torch.no_grad():
        painter.scene.growth[-1].weight.zero_()  # a scene of one colour
        pose, z = 0.5 * poses(1), torch.randn(1, 3)
        quarter = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        for module in painter.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.copy_((module.weight + module.weight.rot90(2, (2, 3))) / 2)
        half = painter(z, None, pose @ quarter @ quarter)
        plain = painter(z, None, pose)
    assert plain.std() > 1e-3
    blocks = torch.nn.functional.avg_pool2d  # pixel shuffle has a fixed order within its 2x2 pixels
    torch.testing.assert_close(blocks(half, 2), blocks(plain.rot90(2, (2, 3)), 2), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("apart", [1, 2])
def test_smoothing_removes_patterns_that_repeat_and_keeps_slopes(apart):
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    slope = (0.5 + 0.1 * rows - 0.03 * columns)[None, None]
    inner = (..., *[slice(2 * apart, -2 * apart)] * 2)
    for place in (rows, columns, rows + columns):
        repeated = (-1.0) ** (place // apart)
        torch.testing.assert_close(Smooth(1, apart)(slope + repeated)[inner], slope[inner])


def test_a_fine_painter_begins_with_the_image_of_its_coarse_one():
    torch.manual_seed(0)
    painter, z, pose = FinePainter(3, 32, 8).eval(), torch.randn(2, 3), poses(2)
    coarse = painter.coarse
    scene = Smooth(3, apart=2)(coarse.scene(z, None))
    small = Smooth(3)(coarse.compose(scene, coarse.features(z, None, pose)))
    torch.testing.assert_close(painter(z, None, pose), enlarge(small))
    with torch.no_grad():
        painter.paint[0].weight.normal_()
    fine = painter(z, None, pose)
    assert not torch.allclose(fine, enlarge(small), atol=0.1)
    assert fine.abs().max() <= 1
