"""An independent judge: a plain regression network that reads pose and content from images.

It learns from true images alone, with a seed of its own, and shares nothing with the model it judges but
the size of the images, and their backbone where both have the same: then it may be pleased by what pleases
the model's own encoder. Its file is safetensors: loading it executes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.experiment import Backbone
from latent_hands.networks.efficientnet import STRIDE, EfficientNetLite0
from latent_hands.networks.resnet import ResNet18
from latent_hands.runs.folder import read_tensors, write_tensors
from latent_hands.studies.assess.content import NUMBERS, content_of

WIDTH, FEATURES, THUMBNAIL_PX, HIDDEN = 32, 128, 8, 256
BATCH, LEARNING_RATE = 64, 1.5e-3
# Synthesised images are soft, and their colours are a little off: neither is a pose.
SOFT = Augmentation(0.0, (1.0, 1.0), 0.0, 0.0, 0.1, 0.1, 0.1, 0.02, 0.7, 0.03, 0.6)
BACKBONES = get_args(Backbone)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Reading:
    """What the judge sees: poses in bones (palm at 0, camera frame), and the numbers of `content_of`."""

    pose: Float[Tensor, "n 21 3"]
    content: Float[Tensor, "n 19"]


class Judge(nn.Module):
    """Images of `px` pixels, in [-1, 1], to poses and content; `side` is how right hands are shown.

    Raises HandsError for an unknown backbone, and for EfficientNet-Lite0 unless 32 divides `px`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, px: int, side: str, backbone: str = "resnet18"):
        super().__init__()
        self.px, self.side, self.backbone = px, side, backbone
        self.network = _network(px, backbone)
        self.pose = nn.Linear(FEATURES, 63)
        inputs = FEATURES + 3 * THUMBNAIL_PX**2
        self.content = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, NUMBERS))
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("deviation", torch.ones(NUMBERS))

    def standard(self, images: Float[Tensor, "n 3 px px"]) -> Reading:
        """Content in standard deviations of the training set, as it is learnt.

        It is read from the pose's features, which it does not change, and from a thumbnail: what learns
        poses is soon blind to colours.
        """
        features = self.network(images)
        thumbnail = functional.adaptive_avg_pool2d(images, THUMBNAIL_PX).flatten(1)
        content = self.content(torch.cat([features.detach(), thumbnail], dim=1))
        return Reading(self.pose(features).unflatten(1, (21, 3)), content)

    def forward(self, images: Float[Tensor, "n 3 px px"]) -> Reading:
        """Poses, and content in its own units."""
        read = self.standard(images)
        return Reading(read.pose, read.content * self.deviation + self.mean)


def _network(px: int, backbone: str) -> nn.Module:
    if backbone == "resnet18":
        return ResNet18(FEATURES, WIDTH, "unshuffle")
    if backbone != "efficientnet_lite0":
        raise HandsError(f'unknown backbone of a judge "{backbone}"; {did_you_mean(backbone, BACKBONES)}')
    if px % STRIDE:
        raise HandsError(f"a judge's images have {px} px; legal for {backbone}: a multiple of {STRIDE}")
    return EfficientNetLite0(FEATURES)


def train_judge(
    samples: Sequence[Sample],
    px: int,
    side: str = "mirror",
    backbone: Backbone = "resnet18",
    epochs: int = 6,
    seed: int = 7,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Judge:
    """Least squares on the scene crops of a rendered set; `progress` is told (what, done, all).

    EfficientNet-Lite0 begins with features learnt on ImageNet. Raises HandsError for no sample or epoch, for
    samples without factors, and as `Judge` and cutting the samples do.
    """
    if not samples or epochs < 1:
        raise HandsError(f"a judge of {len(samples)} images and {epochs} epochs; legal: 1 or more of both")
    told = progress or (lambda what, done, count: None)
    content = content_of(samples)
    windows = build_windows(samples, "scene", 1.0, px, side, progress=lambda *at: told("reading", *at))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge(px, side, backbone)
    if isinstance(judge.network, EfficientNetLite0):
        judge.network.learnt_on_imagenet()
    judge.mean, judge.deviation = content.mean(dim=0), content.std(dim=0).clamp(min=1e-6)
    standard = ((content - judge.mean) / judge.deviation).to(device)
    judge.to(device)
    batches = Batches(windows.to(device), px, min(BATCH, len(samples)), SOFT, seed=seed)
    optimiser = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, epochs * len(batches))
    for epoch in range(epochs):
        for batch in batches.epoch(epoch, {"rgb", "pose", "index"}):
            said = judge.standard(batch["rgb"])
            errors = (said.pose - batch["pose"]).flatten(1), said.content - standard[batch["index"]]
            loss = torch.stack([error.square().sum(dim=1).mean() for error in errors]).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        told("judge", epoch + 1, epochs)
    return judge.eval()


def save_judge(judge: Judge, path: Path) -> Path:
    """Write a judge, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"judge_px": str(judge.px), "judge_side": judge.side, "judge_backbone": judge.backbone}
    write_tensors(path, judge.state_dict(), told)
    return path


def load_judge(path: Path, px: int, side: str, backbone: Backbone | None = None) -> Judge:
    """Read a judge of images of `px` pixels; HandsError for a file that is broken or of another kind.

    Any backbone will do if none is asked for.
    """
    tensors, told = read_tensors(path)
    if (told.get("judge_px"), told.get("judge_side")) != (str(px), side):
        found = f"{told.get('judge_px')} px, side {told.get('judge_side')}"
        raise HandsError(f"{path} is a judge of {found}; legal for this run: {px} px, side {side}")
    own = told.get("judge_backbone", "resnet18")
    if backbone not in (None, own):
        raise HandsError(f"{path} is a judge with {own}; legal: {own}, or another file for {backbone}")
    judge = Judge(px, side, own)
    expected = {name: (t.shape, t.dtype) for name, t in judge.state_dict().items()}
    for name in sorted(expected.keys() | tensors.keys()):
        held = (tensors[name].shape, tensors[name].dtype) if name in tensors else None
        if held != expected.get(name):
            raise HandsError(f"{path}: {name} is {held}; legal for a judge: {expected.get(name)}")
        if not tensors[name].isfinite().all():
            raise HandsError(f"{path}: {name} is not finite; train the judge anew")
    judge.load_state_dict(tensors)
    return judge.eval()
