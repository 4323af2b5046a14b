"""The settings of augmentation: how far training crops may differ from the ground-truth crop."""

from dataclasses import dataclass

from latent_hands.data import jpeg
from latent_hands.errors import HandsError

_LEGAL = {"rotation_deg": (0, 180), "shift": (0, 0.5), "flip": (0, 1), "grey": (0, 1)}
_LEGAL |= {"brightness": (0, 1), "contrast": (0, 1), "saturation": (0, 1), "hue": (0, 0.5)}
_LEGAL |= {"blur_px": (0, 8), "noise": (0, 1), "downsample": (0.1, 1), "jpeg": (0, 1), "occluders": (0, 1)}
_LEGAL_RANGES = {"scale": (0.25, 4), "jpeg_quality": jpeg.QUALITIES}
_LEGAL_RANGES |= {"occluder_number": (1, 8), "occluder_size": (0.01, 1)}


@dataclass(frozen=True)
class Augmentation:
    """How far training crops may differ from the ground-truth crop; every draw is uniform.

    Geometry: turned by up to +-`rotation_deg`, magnified by `scale`, moved by up to +-`shift` of the crop's
    side, mirrored with probability `flip` (only for `side="condition"`: left hands become right ones).
    Colour, of image and tag alike: `brightness` is added (images are in -1..1), `contrast` and
    `saturation` are factors 1 +- x, `hue` is in whole turns; with probability `grey` no colour is left. The
    rest befalls the image alone, in this order: two thirds are seen at `downsample`..1 of the window's
    resolution; with probability `occluders` it has `occluder_number` shapes of `occluder_size` (of the crop's
    side) before the hand, and all labels, `visible` too, stay what they are; every other one is blurred by a
    sigma of up to `blur_px` crop pixels; all get white noise of a standard deviation of up to `noise`; with
    probability `jpeg` it is coded at a `jpeg_quality`.
    """

    rotation_deg: float = 180.0
    scale: tuple[float, float] = (0.9, 1.2)
    shift: float = 0.08
    flip: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.25
    saturation: float = 0.3
    hue: float = 0.05
    blur_px: float = 1.0
    noise: float = 0.05
    downsample: float = 0.5
    jpeg: float = 0.0
    jpeg_quality: tuple[float, float] = (30.0, 95.0)
    occluders: float = 0.0
    occluder_number: tuple[int, int] = (1, 3)
    occluder_size: tuple[float, float] = (0.1, 0.4)
    grey: float = 0.0

    def __post_init__(self) -> None:
        """Raises HandsError for a value out of its range."""
        for name, (low, high) in _LEGAL.items():
            if not low <= getattr(self, name) <= high:
                raise HandsError(f"augmentation {name} = {getattr(self, name)}; legal: {low} .. {high}")
        for name, (low, high) in _LEGAL_RANGES.items():
            given = getattr(self, name)
            if not low <= given[0] <= given[1] <= high:
                raise HandsError(f"augmentation {name} = {given}; legal: {low} <= low <= high <= {high}")

    @classmethod
    def none(cls) -> "Augmentation":
        """The ground-truth crop itself, for evaluation and synthesis."""
        return cls(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
