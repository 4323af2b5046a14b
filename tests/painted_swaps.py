"""A world of images that consist of two codes, and models of it: a perfect one and one with a leak.

The upper half of an image is the code of the pose, the lower half the code of the scene. A code has eight
grey bands.
"""

import torch
from torch import Tensor, nn

from latent_hands.data.labels import modality
from latent_hands.data.readers.counterfactual import FACTORS
from latent_hands.hand.geometry import normalise
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder
from latent_hands.studies.assess.benchmark import Benchmark, Groups, Transfers
from latent_hands.studies.assess.content import NUMBERS

PX, CODE, POSES = 32, 8, 4
HALF = PX // 2


def paint(codes: Tensor) -> Tensor:
    """Return images (n, 3, 32, 32) of codes (n, 16) in [-1, 1], the pose's and the scene's."""
    bands = codes.unflatten(1, (2, CODE)).repeat_interleave(PX // CODE, dim=2)
    return bands.repeat_interleave(HALF, dim=1)[:, None].expand(-1, 3, -1, -1).contiguous()


def codes_in(images: Tensor) -> Tensor:
    """Return the codes of images by `paint`."""
    return images[:, 0, ::HALF, :: PX // CODE].flatten(1)


def code_of(pose: Tensor) -> Tensor:
    """Return the code of a 3DPose."""
    return pose[:, 1:9, 0].tanh()


def world(blocks: int = 4) -> tuple[Benchmark, Tensor]:
    """Return a benchmark with a group and a grid in each block, and all 3DPoses of the world."""
    generator = torch.Generator().manual_seed(0)
    known, _ = normalise(60 * torch.randn(blocks * (2 + POSES), 21, 3, generator=generator))
    scenes = 2 * torch.rand(len(known), CODE, generator=generator) - 1
    group = [(0, 0), (1, 1), (1, 0), (1, 0), *[(0, 1)] * 4]
    grid = [(2 + row, 2 + column) for row in range(POSES) for column in range(POSES)]
    block = torch.arange(blocks).repeat_interleave(len(group) + len(grid))
    pose, scene = (torch.tensor(group + grid).repeat(blocks, 1) + block[:, None] * (2 + POSES)).unbind(1)
    anchor = torch.arange(blocks) * (len(group) + len(grid))
    cells = torch.arange(len(grid)).reshape(POSES, POSES) + len(group)
    where = [cells.roll(-1, 1).flatten(), cells.roll(-1, 0).flatten(), cells.flatten()]
    hand = (torch.arange(PX) < HALF)[:, None].expand(len(pose), PX, PX)
    benchmark = Benchmark(
        rgb=paint(torch.cat([code_of(known[pose]), scenes[scene]], dim=1)),
        tags={"tag": paint(torch.cat([torch.zeros(len(pose), CODE), scenes[scene]], dim=1))},
        pose=known[pose],
        camera_pose=known[pose],
        bone_mm=torch.full((len(pose),), 36.0),
        visible=torch.ones(len(pose), 21, dtype=torch.bool),
        hand=hand,
        ground=~hand,
        content=scenes[scene].repeat(1, 3)[:, :NUMBERS],
        block=block,
        transfers=Transfers(*((anchor[:, None] + each).flatten() for each in where)),
        groups=Groups(anchor, anchor + 1, {factor: anchor + 2 + i for i, factor in enumerate(FACTORS)}),
    )
    return benchmark, known


class Function(nn.Module):
    """A network that computes a function. That of an encoder also returns a constant log-variance."""

    def __init__(self, work, log_var=None):
        super().__init__()
        self.work, self.log_var = work, log_var

    def forward(self, x, side=None):
        y = self.work(x)
        return y if self.log_var is None else torch.cat([y, torch.full_like(y, self.log_var)], dim=1)


def perfect_model(known: Tensor, leak: bool = False, tagged: bool = True) -> DisentangledVAE:
    """Return the perfect model of the world, which looks 3DPoses up.

    With a leak, its content is the pose code.
    """

    def recall(z):
        return known[torch.cdist(z, code_of(known)).argmin(dim=1)]

    def read(images):
        codes = codes_in(images)
        return codes[:, :CODE].repeat(1, 2) if leak else codes

    factors = {"pose": CODE, "content": CODE}
    encoders = {
        "pose": Encoder(modality("pose"), {"pose": CODE}, Function(code_of, -10.0)),
        "rgb": Encoder(modality("rgb"), factors, Function(read, -10.0)),
    }
    if tagged:
        content = Function(lambda tag: codes_in(tag)[:, CODE:], -10.0)
        encoders["tag"] = Encoder(modality("tag"), {"content": CODE}, content)
    decoders = {
        "rgb": Decoder(modality("rgb"), ("pose", "content"), Function(paint)),
        "pose": Decoder(modality("pose"), ("pose",), Function(recall)),
    }
    return DisentangledVAE(factors, encoders, decoders).eval()
