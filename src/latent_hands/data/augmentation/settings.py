"""The settings of augmentation: how far training crops may differ from the ground-truth crop."""

from dataclasses import dataclass

from latent_hands.errors import HandsError

_LEGAL = {"rotation_deg": (0, 180), "shift": (0, 0.5), "flip": (0, 1), "grey": (0, 1)}
_LEGAL |= {"brightness": (0, 1), "contrast": (0, 1), "saturation": (0, 1), "hue": (0, 0.5)}
_LEGAL |= {"blur_px": (0, 8), "noise": (0, 1), "downsample": (0.1, 1), "jpeg": (0, 1), "occluders": (0, 1)}
_LEGAL_RANGES = {"scale": (0.25, 4), "jpeg_quality": (1, 100)}
_LEGAL_RANGES |= {"occluder_number": (1, 8), "occluder_size": (0.01, 1)}


@dataclass(frozen=True)
class Augmentation:
    """Largest differences of training crops from the ground-truth crop. All values are drawn uniformly.

    The first group moves the crop, and labels move with it. The second group changes the colours of image and
    tag alike. The third group changes only the image, in this order; all labels stay as they are, also
    `visible`.

    Attributes:
        rotation_deg: Rotate by up to +-`rotation_deg`.
        scale: Magnify by a factor of this range.
        shift: Move by up to +-`shift` of the crop's side.
        flip: Probability of mirroring: left hands become right hands. It needs `right_hands="condition"` or a
            decoder of `side`.

        brightness: Add up to +-`brightness`; images are in -1..1.
        contrast: Multiply the distance from mid-grey by 1 +- `contrast`.
        saturation: Multiply the saturation by 1 +- `saturation`.
        hue: Rotate the hue by up to +-`hue` turns.
        grey: Probability of removing all colour.

        downsample: Reduce two thirds of the images to `downsample`..1 of the window's resolution.
        occluders: Probability of pasting shapes in front of the hand.
        occluder_number: Smallest and largest number of shapes.
        occluder_size: Smallest and largest size of a shape, as a share of the crop's side.
        blur_px: Blur every other image by a Gaussian of a sigma of up to `blur_px` crop pixels.
        noise: Add white noise of a standard deviation of up to `noise`.
        jpeg: Probability of compression by JPEG.
        jpeg_quality: Smallest and largest quality of this compression, 1 to 100.

    Raises:
        HandsError: if a value is out of its range.
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
        """Check that every value is in its range."""
        for name, (low, high) in _LEGAL.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise HandsError(f"augmentation {name} = {value}; it must be between {low} and {high}")
        for name, (low, high) in _LEGAL_RANGES.items():
            value = getattr(self, name)
            if not low <= value[0] <= value[1] <= high:
                raise HandsError(f"augmentation {name} = {value}; it must be a range within {low} and {high}")

    @classmethod
    def none(cls) -> "Augmentation":
        """Return the settings that change nothing: the ground-truth crop, for evaluation and synthesis."""
        return cls(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
