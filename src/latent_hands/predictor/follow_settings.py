"""Settings of following: the options of `Model.follow` and `Model.tracker`, checked."""

from dataclasses import dataclass
from numbers import Real
from typing import TypedDict

import numpy as np

from latent_hands.detection.zoom import check_zoom
from latent_hands.errors import HandsError, check_whole, did_you_mean
from latent_hands.predictor.checks import bone_of, check_one_camera
from latent_hands.predictor.hand import check_handedness

SMOOTH = ("online", "offline", "none")


class Options(TypedDict, total=False):
    """The options of `Model.follow` and `Model.tracker`: the attributes of `Settings`."""

    fps: float
    handedness: str | None
    bone_mm: float | None
    K: np.ndarray | None
    focal_px: float | None
    smooth: str
    max_hands: int
    zoom: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """How hands are followed; see `Model.follow`. `K` or `focal_px` is the camera of the first frame.

    Raises HandsError for a value that is not legal.
    """

    fps: float = 30.0
    handedness: str | None = None
    bone_mm: float | None = None
    K: np.ndarray | None = None
    focal_px: float | None = None
    smooth: str = "online"
    max_hands: int = 2
    zoom: int = 1

    def __post_init__(self) -> None:
        """Check all values."""
        if self.smooth not in SMOOTH:
            raise HandsError(f'unknown smooth "{self.smooth}"; {did_you_mean(self.smooth, SMOOTH)}')
        check_whole(max_hands=self.max_hands)
        if self.max_hands < 1:
            raise HandsError(f"max_hands is {self.max_hands}, but must be 1 or more hands")
        check_zoom(self.zoom)
        if not isinstance(self.fps, Real) or not 0 < self.fps < float("inf"):
            raise HandsError(f"fps is {self.fps}, but must be above 0 frames per second")
        check_one_camera(self.K, self.focal_px)
        if self.handedness is not None:
            check_handedness(self.handedness)
        if self.bone_mm is not None:
            object.__setattr__(self, "bone_mm", bone_of(self.bone_mm))
