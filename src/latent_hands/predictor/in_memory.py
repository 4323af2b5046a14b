"""Images and joints in memory: arrays and tensors."""

import sys
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from latent_hands.data.formats.image_pixels import to_pixels
from latent_hands.errors import HandsError
from latent_hands.shapes import Float32, UInt8

LEGAL = "uint8 (height, width, 3) in RGB order, also (height, width) or (height, width, 4)"
LEGAL_TENSOR = "uint8 (3, height, width) in RGB order, also (height, width) or (4, height, width)"


@runtime_checkable
class TensorLike(Protocol):
    """A tensor of torch, which models without torch do not import. Files have `detach`, too."""

    dtype: Any
    shape: Any

    def detach(self) -> Any:
        """Return the tensor without its gradient."""
        ...


def rgb_of(image: np.ndarray | TensorLike) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels of an array (height, width[, channels]) or a tensor ([channels,] height, width).

    Grey becomes RGB. Transparent pixels are composited on mid-grey. Raises HandsError for other shapes and
    types.
    """
    array = image if isinstance(image, np.ndarray) else _array_of(image)
    if _is_masked(array):
        raise HandsError("an image must not be a masked array: give its data, or fill what is masked")
    if array.dtype != np.uint8 or 0 in array.shape or not _is_image(array.shape):
        raise HandsError(f"an image must be {LEGAL}, not {array.dtype} {array.shape}{_hint(array)}")
    if array.shape[2:] == (3,):
        return array
    return to_pixels(Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array))


def joints_of(source: object) -> Float32[np.ndarray, "21 3"] | None:
    """Return an array or a tensor (21, 3) as joints; None for anything else."""
    if not isinstance(source, np.ndarray | TensorLike) or tuple(getattr(source, "shape", ())) != (21, 3):
        return None
    if isinstance(source, TensorLike):
        source = source.detach().cpu().double().numpy()
    return np.array(source, np.float32)


def _is_masked(array: np.ndarray) -> bool:
    """Return whether an array is masked, without importing numpy.ma, which only its users need."""
    return "numpy.ma" in sys.modules and isinstance(array, np.ma.MaskedArray)


def _array_of(tensor: Any) -> np.ndarray:
    """Return the pixels of a tensor, channels last. Raises HandsError for other kinds and shapes."""
    kind, shape = str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)
    legal = len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3, 4))
    if kind != "uint8" or not legal or 0 in shape:
        hint = ""
        if len(shape) == 4:
            hint = "; give one image at a time"
        elif len(shape) == 3 and not legal and shape[2] in (1, 3, 4):
            hint = "; move the channels to the front: image.permute(2, 0, 1)"
        elif "float" in kind:
            hint = "; for values from 0 to 1 give (255 * image).round().to(torch.uint8)"
        raise HandsError(f"a tensor as an image must be {LEGAL_TENSOR}, not {kind} {shape}{hint}")
    try:
        array = np.array(tensor.detach().cpu().numpy())
    except (TypeError, RuntimeError) as error:  # sparse tensors, and those without values
        raise HandsError(f"a tensor as an image must be {LEGAL_TENSOR}, and dense: {error}") from error
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _hint(array: np.ndarray) -> str:
    """Return what to do with an array that is not an image yet, as the end of a message."""
    if array.ndim == 4:
        return "; give one image at a time"
    if array.ndim == 2 and len(array) == 21:
        return "; joints have the shape (21, 3)"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and not _is_image(array.shape):
        return "; move the channels to the end: image.transpose(1, 2, 0)"
    if np.issubdtype(array.dtype, np.floating):
        return (
            "; for values from 0 to 1 give (255 * image).round().astype(numpy.uint8), and for values to 255 "
            "image.round().astype(numpy.uint8)"
        )
    return ""
