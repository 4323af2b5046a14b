"""The judge: a regression network that reads pose and content from images, independently of their model.

It trains on true images with its own seed. It shares only the image size with the model, and possibly the
backbone. A judge of the same backbone may make the same mistakes as the model's encoder. Its file has the
format safetensors, so loading it executes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.labels import modality
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.networks import ENCODERS, Networks, Request
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.progress import Progress, silent
from latent_hands.runs.tensors import read_tensors, write_tensors
from latent_hands.studies.assess.content import NUMBERS, content_of

SEED = 7
WIDTH, FEATURES, THUMBNAIL_PX, HIDDEN = 32, 128, 8, 256
BATCH, LEARNING_RATE = 64, 1.5e-3
SOFT = Augmentation(0.0, (1.0, 1.0), 0.0, 0.0, 0.1, 0.1, 0.1, 0.02, 0.7, 0.03, 0.6)
"""Blur and small changes of colour: synthesised images have both, and poses must not depend on them."""
MOST_EPOCHS = 10_000
PART = 64
"""Images read at once."""


@dataclass(frozen=True)
class Reading:
    """Predictions of the judge: poses in bones (palm at 0, camera frame), and the numbers of `content_of`."""

    pose: Float[Tensor, "n 21 3"]
    content: Float[Tensor, "n 19"]


class Judge(nn.Module):
    """A network from images of `px` pixels, in [-1, 1], to poses and content.

    `right_hands` is "mirror" or "condition", as in the assessed run. Raises HandsError for an unknown
    backbone, and for EfficientNet-Lite0 unless 32 divides `px`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, px: int, right_hands: str, backbone: str = "resnet18"):
        super().__init__()
        self.px, self.right_hands, self.backbone = px, right_hands, backbone
        self.network = _network(px, backbone)
        self.pose = nn.Linear(FEATURES, 63)
        inputs = FEATURES + 3 * THUMBNAIL_PX**2
        self.content = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, NUMBERS))
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("deviation", torch.ones(NUMBERS))

    def standard(self, images: Float[Tensor, "n 3 px px"]) -> Reading:
        """Return poses, and content in standard deviations of the training set.

        Content is read from the features of the pose, without a gradient, and from a thumbnail. Features that
        are trained for poses lose the colours.
        """
        features = self.network(images)
        thumbnail = functional.adaptive_avg_pool2d(images, THUMBNAIL_PX).flatten(1)
        content = self.content(torch.cat([features.detach(), thumbnail], dim=1))
        return Reading(self.pose(features).unflatten(1, (21, 3)), content)

    def forward(self, images: Float[Tensor, "n 3 px px"]) -> Reading:
        """Return poses, and content in its own units."""
        standard = self.standard(images)
        return Reading(standard.pose, standard.content * self.deviation + self.mean)

    @torch.inference_mode()
    def read(self, images: Float[Tensor, "n 3 px px"]) -> Reading:
        """Return poses and content in processor memory, from many images, a part at a time."""
        parts = [self(part.to(self.mean.device)) for part in images.split(PART)]
        pose, content = (torch.cat([getattr(p, k).cpu() for p in parts]) for k in ("pose", "content"))
        return Reading(pose, content)


def _network(px: int, backbone: str) -> nn.Module:
    """Return the encoder network of that name. Raises HandsError for an unknown name or an illegal side."""
    settings = Networks(width=WIDTH, stem="unshuffle")
    return ENCODERS.find(backbone)(Request(modality("rgb"), FEATURES, px, settings=settings))


def check_epochs(epochs: int) -> None:
    """Raise HandsError for a number of epochs out of range."""
    if not 1 <= epochs <= MOST_EPOCHS:
        raise HandsError(f"epochs is {epochs}; it must be between 1 and {MOST_EPOCHS:,}")


def train_judge(
    samples: Sequence[Sample],
    px: int,
    right_hands: str = "mirror",
    backbone: str = "resnet18",
    epochs: int = 6,
    device: str | torch.device = "cpu",
    progress: Progress = silent,
) -> Judge:
    """Train a judge by least squares on the scene crops of a rendered set.

    EfficientNet-Lite0 starts with features trained on ImageNet. Raises HandsError for no sample or epoch, for
    samples without factors, and as `Judge` and cutting the samples do.
    """
    check_epochs(epochs)
    if not samples:
        raise HandsError("the judge has no images; it must have 1 or more")
    content = content_of(samples)
    windows = build_windows(samples, "scene", 1.0, px, right_hands, progress=progress)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        judge = Judge(px, right_hands, backbone)
    if isinstance(judge.network, EfficientNetLite0):
        judge.network.pretrained()
    judge.mean, judge.deviation = content.mean(dim=0), content.std(dim=0).clamp(min=1e-6)
    standard = ((content - judge.mean) / judge.deviation).to(device)
    judge.to(device)
    batches = Batches(windows.to(device), px, min(BATCH, len(samples)), SOFT, seed=SEED)
    optimiser = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, epochs * len(batches))
    for epoch in range(epochs):
        for batch in batches.epoch(epoch, {"rgb", "pose", "index"}):
            predicted = judge.standard(batch["rgb"])
            errors = (predicted.pose - batch["pose"]).flatten(1), predicted.content - standard[batch["index"]]
            loss = torch.stack([error.square().sum(dim=1).mean() for error in errors]).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        progress("judge", epoch + 1, epochs)
    return judge.eval()


def save_judge(judge: Judge, path: Path) -> Path:
    """Write a judge to a file, whole or not at all. Return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"judge_px": str(judge.px), "judge_side": judge.right_hands, "judge_backbone": judge.backbone}
    write_tensors(path, judge.state_dict(), about)
    return path


def load_judge(path: Path, px: int, right_hands: str, backbone: str | None = None) -> Judge:
    """Read a judge of images of `px` pixels, of the given backbone or of any.

    Raises HandsError for a file that is broken, or that holds another kind of judge.
    """
    tensors, about = read_tensors(path)
    if (about.get("judge_px"), about.get("judge_side")) != (str(px), right_hands):
        found = f"{about.get('judge_px')} px, right hands {about.get('judge_side')}"
        raise HandsError(f"{path} is a judge of {found}; this run needs {px} px, right hands {right_hands}")
    own = about.get("judge_backbone", "resnet18")
    if backbone not in (None, own):
        raise HandsError(f"{path} is a judge with {own}; choose {own}, or another file for {backbone}")
    judge = Judge(px, right_hands, own)
    expected = {name: (t.shape, t.dtype) for name, t in judge.state_dict().items()}
    for name in sorted(expected.keys() | tensors.keys()):
        held = (tensors[name].shape, tensors[name].dtype) if name in tensors else None
        if held != expected.get(name):
            raise HandsError(f"{path}: {name} is {held}; a judge needs {expected.get(name)}")
        if not tensors[name].isfinite().all():
            raise HandsError(f"{path}: {name} is not finite; train the judge again")
    judge.load_state_dict(tensors)
    return judge.eval()
