"""What probes learn from: images of other people and places than the benchmark's."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import Sample


@dataclass(frozen=True)
class Lessons:
    """Images in [-1, 1] and their poses, in bones and the frame of the model; `right` where it is told."""

    rgb: Float[Tensor, "n 3 px px"]
    pose: Float[Tensor, "n 21 3"]
    right: Bool[Tensor, " n"] | None = None


def read_lessons(samples: Sequence[Sample], px: int, side: str, frame: str) -> Lessons:
    """The scene crops of samples. Raises HandsError as cutting them does."""
    windows = build_windows(samples, "scene", 1.0, px, side)
    batch = Batches(windows, px, len(windows), frame=frame, shuffle=False).batch(0, 0, {"rgb", "pose"})
    return Lessons(batch["rgb"], batch["pose"], windows.handed)
