"""Windows: hands as training uses them, square images and labels stacked in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from latent_hands.data.image_stacks import ImageStack, ShardedImages
from latent_hands.data.labels import LABELS, Label
from latent_hands.data.motion import turn_to_ray
from latent_hands.errors import HandsError, did_you_mean

FRAMES = ("camera", "ray")


@dataclass(frozen=True)
class Windows:
    """N hands: square images and their labels.

    A label that no hand has is absent. The numbers that are unknown of some hands are NaN: all of a label, or
    single joints of `uv_px`.

    The crop is the middle of the window, of side `size / margin` pixels.

    Attributes:
        images: image stacks by batch key; "rgb" is always among them.
        names: the samples' names.
        margin: side of the window over the side of the crop.
        right_hands: "mirror" if images and labels of right hands were mirrored, "condition" if not.
        labels: by name, as `latent_hands.data.labels` describes them, in palm form and camera frame.
            `uv_px` and `K` are in pixels of the window. `right` marks hands that were right ones before any
            mirroring.
        convention: where the labels place the joints, if all agree.
    """

    images: Mapping[str, ImageStack]
    names: tuple[str, ...]
    margin: float
    right_hands: str
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    convention: str | None = None

    def __len__(self) -> int:
        """Return the number of hands."""
        return len(self.names)

    def __getattr__(self, name: str) -> Tensor | None:
        """Return a label of the table by its name, None if it is absent: `windows.xyz_mm`."""
        if name.startswith("_") or not isinstance(LABELS.get(name), Label):
            raise AttributeError(f"windows have no {name}")
        return self.labels.get(name)

    @property
    def rgb(self) -> UInt8[Tensor | ShardedImages, "n 3 size size"]:
        """Return the images "rgb", one for each sample."""
        return self.images["rgb"].pixels

    @property
    def handed(self) -> Tensor | None:
        """Return which hands the windows show as right hands; None if all are left hands."""
        return self.labels.get("right") if self.right_hands == "condition" else None

    def select(self, indices: Sequence[int] | Int64[Tensor, " m"]) -> "Windows":
        """Return some of the samples, in the given order. Shared images stay shared."""
        index = torch.as_tensor(indices, dtype=torch.int64, device=self.rgb.device)
        return replace(
            self,
            images={key: stack.select(index) for key, stack in self.images.items()},
            labels={key: label[index] for key, label in self.labels.items()},
            names=tuple(self.names[i] for i in index.tolist()),
        )

    def to(self, device: str | torch.device) -> "Windows":
        """Return all tensors on a device."""
        return replace(
            self,
            images={key: stack.to(device) for key, stack in self.images.items()},
            labels={key: label.to(device) for key, label in self.labels.items()},
        )

    def with_images(self, keys: Collection[str]) -> "Windows":
        """Return the windows with these images only."""
        return replace(self, images={key: each for key, each in self.images.items() if key in keys})

    def with_labels(self, **changed: Tensor | None) -> "Windows":
        """Return the windows with labels replaced, or removed where None is given."""
        labels = {key: label for key, label in {**self.labels, **changed}.items() if label is not None}
        return replace(self, labels=labels)


def available(windows: Windows) -> tuple[str, ...]:
    """Return the batch keys that these windows can fill."""
    derived = (
        key
        for key, label in LABELS.items()
        if isinstance(label, Label)
        and label.derive
        and all(need in windows.labels for need in label.needs)
        and (windows.right_hands == "mirror" or not label.of_left_hands)
    )
    return (*windows.images, *windows.labels, *derived, "index")


def known_hands(windows: Windows, key: str, frame: str = "camera") -> Bool[Tensor, " n"]:
    """Return the hands for which all numbers of a batch key are known; none if the label is absent."""
    label = LABELS.get(key)
    every = torch.ones(len(windows), dtype=torch.bool, device=windows.rgb.device)
    if isinstance(label, Label):
        for need in label.needs if label.derive else ():
            every &= known_hands(windows, need, frame)
        if label.move is turn_to_ray and frame == "ray":
            every &= known_hands(windows, "K")
        if not label.derive:
            values = windows.labels.get(key)
            return every & (~every if values is None else ~values.unsqueeze(1).flatten(1).isnan().any(dim=1))
    return every


def check_keys(windows: Windows, keys: Collection[str], frame: str = "camera") -> None:
    """Raise HandsError for a key that is unknown or that the windows cannot fill in this frame."""
    if frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}"; {did_you_mean(frame, FRAMES)}')
    present = available(windows)
    for key in sorted(keys):
        if key not in LABELS and key != "index":
            raise HandsError(f'unknown batch key "{key}"; {did_you_mean(key, (*LABELS, "index"))}')
        if key not in present:
            label = LABELS.get(key)
            needs = label.needs if isinstance(label, Label) else ()
            source = f", which is computed from {' and '.join(needs)}" if needs else ""
            source += " (Sample.xyz_mm gives the pose)" if "pose" in (key, *needs) else ""
            raise HandsError(f'the samples have no "{key}"{source}; they have {", ".join(present)}')
    if frame == "ray" and "K" not in windows.labels and any(_in_frame(key) for key in keys):
        raise HandsError('frame="ray" needs the camera K, which the samples lack; use frame="camera"')


def _in_frame(key: str) -> bool:
    """Return whether a label depends on the frame of the predicted pose."""
    label = LABELS.get(key)
    return isinstance(label, Label) and (label.move is turn_to_ray or any(map(_in_frame, label.needs)))
