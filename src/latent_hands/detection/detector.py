"""Detection of hands in whole images: where they are, and which of them are right hands."""

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.build.unfilled import Unfilled
from latent_hands.detection.detection import Detection
from latent_hands.detection.letterbox import Rgb, View, views
from latent_hands.detection.network import MULTIPLE, DetectionNetwork
from latent_hands.detection.peaks import candidates, distinct
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.hand.boxes import Box
from latent_hands.networks.fusion import fuse, fused, sharing
from latent_hands.networks.packing import fastest_type, packed
from latent_hands.pixels import from_bytes
from latent_hands.runs.tensors import load_weights, read_tensors, write_tensors
from latent_hands.typed_toml import Range, read, read_toml, to_table, write

SHIPPED = Path(__file__).parents[1] / "weights"
SETTINGS, WEIGHTS = "detector.toml", "weights.safetensors"
PARTS_AT_ONCE = 8


@dataclass(frozen=True)
class Settings:
    """The settings of a detector, the section [detector] of its file.

    Attributes:
        size_px: longer side of the network's images.
        threshold: smallest score of a detection.
        peak, support, size, shift: calibration: the score is the sigmoid of the features of
            `peaks.candidates` times the first three, plus `shift`.
        side_scale: calibration: right = sigmoid(scale * logit).
    """

    size_px: Annotated[int, Range(MULTIPLE, 1024)]
    threshold: Annotated[float, Range(0.0, 1.0)] = 0.5
    peak: Annotated[float, Range(-100.0, 100.0)] = 1.0
    support: Annotated[float, Range(-100.0, 100.0)] = 1.0
    size: Annotated[float, Range(-100.0, 100.0)] = 0.0
    shift: Annotated[float, Range(-100.0, 100.0)] = 0.0
    side_scale: Annotated[float, Range(0.01, 100.0)] = 1.0

    def __post_init__(self) -> None:
        """Check that the network can read images of this size."""
        if self.size_px % MULTIPLE:
            raise HandsError(f"size_px is {self.size_px}; it must be a multiple of {MULTIPLE}")

    @property
    def weights(self) -> tuple[float, float, float]:
        """The weights of the features."""
        return self.peak, self.support, self.size


def folder_of(name_or_path: str | Path) -> Path:
    """Return the folder of a detector: a shipped one by name, or the given folder."""
    if not isinstance(name_or_path, str | Path):
        kind = type(name_or_path).__name__
        raise HandsError(f"a detector must be a folder or the name of a shipped one, not a {kind}")
    return SHIPPED / name_or_path if (SHIPPED / name_or_path).is_dir() else Path(name_or_path)


def is_detector(name_or_path: str | Path) -> bool:
    """Return whether there is a detector of this name or in this folder."""
    return all((folder_of(name_or_path) / name).is_file() for name in (SETTINGS, WEIGHTS))


class Detector:
    """Find hands in images.

    >>> Detector.load().detect(rgb)                                         # doctest: +SKIP
    [Detection(box_px=(412.3, 188.0, 96.1, 120.7), handedness='right', score=0.98, right=0.99)]

    Args:
        network: a network, trained or loaded.
        settings: size of its images, threshold and calibration.
        device: device of the network, the CPU by default.
    """

    def __init__(
        self, network: DetectionNetwork, settings: Settings, device: str | torch.device | None = None
    ):
        self.settings = settings
        self.device = torch.device(device or "cpu")
        self._dtype = fastest_type(self.device)
        self._fused = fused(network)
        faster = sharing(self._fused).to(self.device, self._dtype)
        self._network = packed(faster) if self.device.type == "cpu" else faster
        self._network.precision = "float32"  # the weights already have the type of the computation

    @classmethod
    def load(
        cls, name_or_path: str | Path = "detection", device: str | torch.device | None = None
    ) -> "Detector":
        """Load a detector: a shipped one by name, or the folder of one.

        Raises HandsError if there is no such detector, or if its files are damaged.
        """
        folder = folder_of(name_or_path)
        if not is_detector(name_or_path):
            raise HandsError(
                f'no detector "{name_or_path}": a detector is a folder with {SETTINGS} and {WEIGHTS}; '
                "give the boxes of the hands, or train one with `latent-hands detector train`"
            )
        table = read_toml(folder / SETTINGS).get("detector", {})
        settings = read(Settings, table, str(folder / SETTINGS), "detector")
        with Unfilled():
            network = fuse(DetectionNetwork())
        try:
            weights, _ = read_tensors(folder / WEIGHTS)
            load_weights(network, weights, str(folder / WEIGHTS))
        except HandsError as error:
            raise HandsError(
                f"{folder / WEIGHTS} does not hold the weights of a detector: {error}"
            ) from error
        return cls(network, settings, device)

    @property
    def network(self) -> DetectionNetwork:
        """A copy of the network with folded BatchNorm, float32."""
        return copy.deepcopy(self._fused)

    def with_settings(self, settings: Settings) -> "Detector":
        """Return a detector with the same network and other settings."""
        other = copy.copy(self)
        other.settings = settings
        return other

    def with_least_score(self, score: float) -> "Detector":
        """Return a detector that returns all hands of this score, or of its own threshold if that is less."""
        settings = replace(self.settings, threshold=min(score, self.settings.threshold))
        return self.with_settings(settings)

    def save(self, folder: Path) -> Path:
        """Write the folder of the detector, with weights in float16; return it."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {n: t.half() for n, t in self._fused.state_dict().items()}
        write_tensors(folder / WEIGHTS, weights, {})
        write_text(folder / SETTINGS, write({"detector": to_table(self.settings)}))
        return folder

    @torch.inference_mode()
    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Return the hands of an image with pixels uint8 (height, width, 3), the highest score first.

        The list is empty if there is no hand. Images may have any size. An image that is more than twice as
        long as wide is read in squares that overlap. Raises HandsError for anything but such an array.
        """
        if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.shape[2:] != (3,) or not rgb.size:
            raise HandsError(f"an image must be uint8 (height, width, 3), not {_kind(rgb)}")
        return self.choose(self.candidates(rgb), (rgb.shape[0], rgb.shape[1]))

    @torch.inference_mode()
    def candidates(self, rgb: Rgb) -> Float[Tensor, "n 8"]:
        """Return the rows of `peaks.candidates`, with boxes in pixels of the image."""
        parts = views(rgb, self.settings.size_px, MULTIPLE)
        return torch.cat(
            [
                rows
                for i in range(0, len(parts), PARTS_AT_ONCE)
                for rows in self._rows(parts[i : i + PARTS_AT_ONCE])
            ]
        )

    def choose(self, rows: Float[Tensor, "n 8"], size_px: tuple[int, int]) -> list[Detection]:
        """Return the detections among candidates in an image of (height, width) `size_px`."""
        scores = (rows[:, 5:] @ rows.new_tensor(self.settings.weights) + self.settings.shift).sigmoid()
        enough = scores >= self.settings.threshold
        rows, scores = rows[enough], scores[enough]
        kept = distinct(rows[:, :4], scores)
        found = [
            self._detection(*each) for each in zip(rows[kept].tolist(), scores[kept].tolist(), strict=True)
        ]
        return [each for each in found if _inside(each.box_px, *size_px)]

    def _rows(self, parts: list[View]) -> list[Float[Tensor, "n 8"]]:
        pixels = torch.from_numpy(np.stack([part.pixels for part in parts])).permute(0, 3, 1, 2)
        rows = candidates(self._network(from_bytes(pixels).to(self.device, self._dtype)))
        return [
            torch.cat([torch.from_numpy(part.to_image(boxes.numpy())), features], dim=1)
            for part, each in zip(parts, rows, strict=True)
            for boxes, features in [each.cpu().split([4, 4], dim=1)]
        ]

    def _detection(self, row: list[float], score: float) -> Detection:
        x, y, width, height, right = row[:5]
        right = 0.5 * (1 + math.tanh(self.settings.side_scale * right / 2))
        return Detection((x, y, width, height), "right" if right > 0.5 else "left", score, right)


def _kind(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _inside(box: Box, height: int, width: int) -> bool:
    """Return whether a box reaches into the image."""
    x, y, w, h = box
    return x < width and y < height and x + w > 0 and y + h > 0
