"""Pixel values and numbers of networks, for numpy arrays."""

import numpy as np

from latent_hands.shapes import Float, Float32, UInt8


def from_bytes(images: UInt8[np.ndarray, "batch h w 3"]) -> Float32[np.ndarray, "batch 3 h w"]:
    """Return images as networks read them: numbers from -1 to 1, channels first."""
    return images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1


def to_bytes(images: Float32[np.ndarray, "batch 3 h w"]) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Return images of a network as bytes; values outside -1 to 1 are clamped."""
    return list(((images + 1) * 127.5).round().clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def sigmoid(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return 1 / (1 + exp(-x))."""
    return 0.5 * (1 + np.tanh(x / 2))


def log_sum_exp(x: Float32[np.ndarray, "n h w"]) -> Float32[np.ndarray, "h w"]:
    """Return ln of the sum of exp over the first axis."""
    largest = x.max(axis=0)
    return largest + np.log(np.exp(x - largest).sum(axis=0))
