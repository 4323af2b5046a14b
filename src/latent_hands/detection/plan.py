"""The TOML file that a training of a detector follows."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from latent_hands.detection.frames import (
    Frame,
    Mixture,
    check_frames,
    read_box_frames,
    read_empty_frames,
    read_rendered_frames,
)
from latent_hands.detection.network import MULTIPLE
from latent_hands.errors import HandsError
from latent_hands.typed_toml import Range, read, read_toml, to_table, write


@dataclass(frozen=True)
class Part:
    """One source of images. Exactly one of `rendered`, `boxes` and `images` is given.

    Attributes:
        rendered: folder that `latent-hands render` wrote.
        boxes: file of boxes, as `data.formats.boxes.read_boxes` reads it, in the folder of its images.
        images: folder of images without hands.
        split: "training" or "evaluation" of a rendered set.
        share: how often images of this part are drawn, relative to the other parts.
        limit: use only the first images.
    """

    rendered: str | None = None
    boxes: str | None = None
    images: str | None = None
    split: str = "training"
    share: Annotated[float, Range(0.0, 1e6)] = 1.0
    limit: Annotated[int, Range(1, 10**9)] = 10**9

    def __post_init__(self) -> None:
        """Check that there is one source."""
        if sum(each is not None for each in (self.rendered, self.boxes, self.images)) != 1:
            raise HandsError("a part needs exactly one of rendered, boxes and images")

    def frames(self) -> list[Frame]:
        """Return the frames of the part."""
        if self.rendered is not None:
            return read_rendered_frames(self.rendered, self.split, self.limit)
        found = read_box_frames(self.boxes) if self.boxes is not None else read_empty_frames(str(self.images))
        return found[: self.limit]


@dataclass(frozen=True)
class Training:
    """The section [training].

    Attributes:
        updates: number of gradient steps.
        batch_size: images of a step.
        image_px: sides of the training images; each step draws one. Multiples of 32.
        size_px: longer side of the images that the finished detector reads. A network may find more
            hands in larger images than those that it was trained on (Touvron et al., NeurIPS 2019).
        learning_rate: of Adam for new layers, after the warm-up; it falls to 0 as half a cosine.
        trunk_rate: learning rate of EfficientNet, relative to `learning_rate`.
        warmup: steps until the full learning rate.
        weight_decay: of AdamW.
        seed: determines every random choice.
        start: what continues instead of the weights of ImageNet: a detector, by name ("detection" is the
            shipped one) or folder, or the run folder of another training.
        save_every: steps between two states on disk.
    """

    updates: Annotated[int, Range(1, 10**7)] = 3000
    batch_size: Annotated[int, Range(1, 1024)] = 16
    image_px: tuple[int, ...] = (160, 192, 256)
    size_px: Annotated[int, Range(MULTIPLE, 1024)] = 320
    learning_rate: Annotated[float, Range(0.0, 1.0)] = 1e-3
    trunk_rate: Annotated[float, Range(0.0, 1.0)] = 0.4
    warmup: Annotated[int, Range(0, 10**6)] = 100
    weight_decay: Annotated[float, Range(0.0, 1.0)] = 0.02
    seed: Annotated[int, Range(0, 2**31)] = 0
    start: str | None = None
    save_every: Annotated[int, Range(1, 10**6)] = 200

    def __post_init__(self) -> None:
        """Check the sides of the images."""
        for px in self.image_px:
            if px < MULTIPLE or px % MULTIPLE:
                raise HandsError(f"image_px has {px}; sides must be multiples of {MULTIPLE}")
        if not self.image_px:
            raise HandsError("image_px is empty; it needs at least one side")


@dataclass(frozen=True)
class Plan:
    """A training: its settings, the parts that it learns from, and those that set its threshold.

    Attributes:
        data: parts by name.
        training: settings.
        validation: parts that choose the threshold and calibrate the scores; they are never trained on.
    """

    data: dict[str, Part]
    training: Training = field(default_factory=Training)
    validation: dict[str, Part] = field(default_factory=dict)

    def mixture(self) -> Mixture:
        """Read the frames to learn from."""
        parts = {name: tuple(part.frames()) for name, part in self.data.items()}
        for name, frames in parts.items():
            if not frames:
                raise HandsError(f"[data] {name} has no images")
        check_frames([frame for frames in parts.values() for frame in frames])
        return Mixture(tuple(parts.values()), tuple(part.share for part in self.data.values()))

    def validation_frames(self) -> list[Frame]:
        """Read the frames of [validation]."""
        return [frame for part in self.validation.values() for frame in part.frames()]


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises HandsError naming the place in the file."""
    return read(Plan, read_toml(path), str(path))


def write_plan(plan: Plan) -> str:
    """Return the plan as TOML."""
    return write(to_table(plan))
