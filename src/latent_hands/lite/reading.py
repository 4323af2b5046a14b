"""Readings of crops by an exported model, as `predictor.reading` has them of a trained graph."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent_hands.data.cutting import cut_pixels
from latent_hands.hand.arrays import Mx, Mz, canonicalise, nearest_rotation, ray_rotation
from latent_hands.lite.folder import Networks
from latent_hands.lite.values import from_bytes
from latent_hands.predictor.candidates import Reader
from latent_hands.predictor.crop import Crop, CropReading
from latent_hands.predictor.hand import Handedness
from latent_hands.shapes import Bool, Float32

SPREADS = {"pose": "spread", "uv": "uv_spread"}
ACROSS = np.array([-1, 1], np.float32)
Moments = tuple[Float32[np.ndarray, "batch size"], Float32[np.ndarray, "batch size"]]
Posterior = dict[str, Moments]
"""The mean and the log-variance of each factor."""


class LiteCrop(Crop):
    """A crop that an exported model reads; see `Crop`."""


class LiteReading(CropReading):
    """The prediction of an exported model for a crop; see `CropReading`."""

    outputs: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LiteGlance:
    """A first reading of some crops: the readings, and q(z | crop) with one row for each crop."""

    readings: list[LiteReading]
    posterior: Posterior


@dataclass(frozen=True)
class LiteReader(Reader[LiteCrop, LiteReading, LiteGlance]):
    """Readings by the networks of an exported model, with or without draws for spreads."""

    networks: Networks
    draws: bool = True

    crop = LiteCrop

    @property
    def _about(self) -> Mapping[str, Any]:
        return self.networks.about

    @property
    def _decoders(self) -> Mapping[str, str]:
        return self._about["hands"]["decoders"]

    def measures(self, name: str) -> bool:
        """Return whether the model decodes a modality."""
        return name in self._decoders

    def glance(self, crops: Sequence[LiteCrop]) -> LiteGlance:
        """Read every crop for the first time. It decodes only what decides how the hand is read again."""
        posterior = self._infer(crops)
        means = {factor: mean for factor, (mean, _) in posterior.items()}
        decoded = {
            name: self.networks.decode(self._decoders[name], means, _is_right(crops))
            for name in ("uv", "side")
            if name in self._decoders
        }
        return LiteGlance(self._readings(crops, decoded), posterior)

    def read_again(self, first: LiteGlance, wanted: Sequence[tuple[int, Handedness]]) -> list[LiteReading]:
        """Read crops again around the joints that were found.

        A crop that is read as the same side is not read again where it was right.
        """
        if not wanted:
            return []
        seen = [first.readings[i] for i, _ in wanted]
        crops = [
            LiteCrop(p.rgb, side, each.next_crop if each.is_off else p.box_px, p.K, p.bone_mm)
            for each, (_, side) in zip(seen, wanted, strict=True)
            for p in [each.crop]
        ]
        fresh = [
            k for k, each in enumerate(seen) if each.is_off or crops[k].handedness != each.crop.handedness
        ]
        rows = [i for i, _ in wanted]
        posterior = {f: (mean[rows], log_var[rows]) for f, (mean, log_var) in first.posterior.items()}
        if fresh:
            for factor, moments in self._infer([crops[k] for k in fresh]).items():
                for part, new in zip(posterior[factor], moments, strict=True):
                    part[fresh] = new
        return self._decoded(crops, posterior)

    def read_twice(self, crops: Sequence[LiteCrop]) -> list[LiteReading]:
        """Read every crop, and again around the joints if the model measures them in the image."""
        if not crops:
            return []
        if not self.measures("uv"):
            return self._decoded(crops, self._infer(crops))
        return self.read_again(self.glance(crops), [(i, p.handedness) for i, p in enumerate(crops)])

    def _infer(self, crops: Sequence[LiteCrop]) -> Posterior:
        """Return q(z | crop) of the factors that describe a hand. Alike encoders are averaged."""
        chosen: Mapping[str, Sequence[str]] = self._about["hands"]["encoders"]
        images, right = from_bytes(self._windows(crops)), _is_right(crops)
        names = dict.fromkeys(name for names in chosen.values() for name in names)
        inferred = {name: self.networks.encode(name, images, right) for name in names}
        return {
            factor: tuple(np.mean([inferred[n][factor][part] for n in names], axis=0) for part in (0, 1))  # pyright: ignore[reportReturnType]
            for factor, names in chosen.items()
        }

    def _decoded(self, crops: Sequence[LiteCrop], posterior: Posterior) -> list[LiteReading]:
        """Return the readings of crops that have this posterior, in the camera frame if there is one."""
        right = _is_right(crops)
        means = {factor: mean for factor, (mean, _) in posterior.items()}
        outputs = {name: self.networks.decode(arrow, means, right) for name, arrow in self._decoders.items()}
        with_viewpoints(outputs, right if self._about["right_hands"] == "condition" else None)
        if self.draws:
            outputs |= self._spreads(posterior, right)
        if self._about["frame"] == "ray":
            turns = np.stack([self._to_camera(crop) for crop in crops])
            outputs |= {name: outputs[name] @ turns for name in ("pose", "viewpoint")}
        return self._readings(crops, outputs)

    def _spreads(self, posterior: Posterior, right: Bool[np.ndarray, " n"]) -> dict[str, np.ndarray]:
        """Return spread, uv_spread and nats; the noise is that of the torch model."""
        wide, draws = 2 * math.log(self._about["rules"]["temperature"]), 0
        drawn = {}
        for factor, (mean, log_var) in posterior.items():
            noise = np.array(self._about["noise"][factor], np.float32)
            each = mean[:, None] + np.exp(0.5 * (log_var + np.float32(wide)))[:, None] * noise
            drawn[factor], draws = each.reshape(-1, mean.shape[1]), len(noise)
        found = {}
        for name, spread in SPREADS.items():
            if name in self._decoders:
                values = self.networks.decode(self._decoders[name], drawn, right.repeat(draws))
                away = values.reshape(len(right), draws, *values.shape[1:])
                away = away - away.mean(axis=1, keepdims=True)
                found[spread] = np.sqrt(np.square(away).sum(axis=(1, 3)) / (draws - 1))
        pose = [posterior[factor] for factor in self._about["hands"]["pose_factors"]]
        found["nats"] = sum(0.5 * (m**2 + np.exp(v) - 1 - v).sum(axis=1) for m, v in pose)
        return found

    def _readings(self, crops: Sequence[LiteCrop], outputs: Mapping[str, np.ndarray]) -> list[LiteReading]:
        """Return the predictions for the windows as predictions for the hands, which may be mirrored."""
        each = [{name: value[i] for name, value in outputs.items()} for i in range(len(crops))]
        return [
            LiteReading(crop, mirrored(found) if self._flips(crop) else found)
            for crop, found in zip(crops, each, strict=True)
        ]

    def _windows(self, crops: Sequence[LiteCrop]) -> np.ndarray:
        """Return the crops as uint8 (n, side, side, 3), mirrored where the model expects that."""
        size = self._about["side_px"]
        cut = [cut_pixels(crop.rgb, crop.centre_px, crop.side_px, size) for crop in crops]
        return np.stack(
            [each[:, ::-1] if self._flips(crop) else each for crop, each in zip(crops, cut, strict=True)]
        )

    def _flips(self, crop: Crop) -> bool:
        return crop.handedness == "right" and self._about["right_hands"] == "mirror"

    def _to_camera(self, crop: LiteCrop) -> Float32[np.ndarray, "3 3"]:
        """Return the rotation from the ray frame to the camera frame of a window, which may be mirrored."""
        if crop.K is None:
            return np.eye(3, dtype=np.float32)
        to_ray = ray_rotation(crop.K, crop.centre_px)
        return (Mx @ to_ray @ Mx if self._flips(crop) else to_ray).T


def with_viewpoints(outputs: dict[str, np.ndarray], right: Bool[np.ndarray, " n"] | None) -> None:
    """Add cpose and viewpoint, which are computed from the pose if not both are decoded."""
    if "cpose" not in outputs or "viewpoint" not in outputs:
        sides = np.zeros(len(outputs["pose"]), bool) if right is None else right
        parts = [canonicalise(p, bool(r)) for p, r in zip(outputs["pose"], sides, strict=True)]
        computed = {"cpose": np.stack([c for c, _ in parts]), "viewpoint": np.stack([v for _, v in parts])}
        outputs |= {name: value for name, value in computed.items() if name not in outputs}
    outputs["viewpoint"] = np.stack([nearest_rotation(each) for each in outputs["viewpoint"]])


def mirrored(outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the prediction for the mirrored image of one hand. It is its own inverse."""
    changed = dict(outputs)
    if "pose" in outputs:
        changed["pose"] = outputs["pose"] @ Mx
    if "viewpoint" in outputs:
        changed["viewpoint"] = Mz @ outputs["viewpoint"] @ Mx
    if "uv" in outputs:
        changed["uv"] = outputs["uv"] * ACROSS
    if "place" in outputs:
        changed["place"] = np.concatenate([outputs["place"][:2] * ACROSS, outputs["place"][2:]])
    return changed


def _is_right(crops: Sequence[Crop]) -> Bool[np.ndarray, " n"]:
    return np.array([crop.handedness == "right" for crop in crops])
