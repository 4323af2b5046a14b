"""Models that travel: a run as ONNX files and a description, for `latent_hands.lite` and for browsers."""

from latent_hands.portable.export import export_model

__all__ = ["export_model"]
