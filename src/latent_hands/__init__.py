"""Latent Hands: disentangled variational autoencoders of hands (Yang & Yao, CVPR 2019).

>>> import latent_hands as lh
>>> model = lh.load("runs/demo/estimation")                                # doctest: +SKIP
>>> hand = model.estimate("hand.jpg", handedness="left", bone_mm=40.0)     # doctest: +SKIP
>>> hand.xyz_mm                                                            # doctest: +SKIP
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latent_hands.errors import HandsError

if TYPE_CHECKING:
    from latent_hands.predictor import Hand, Model, Photo

__version__ = version("latent-hands")
__all__ = ["Hand", "HandsError", "Model", "Photo", "__version__", "load"]


def load(run: str | Path, device: str | None = None) -> "Model":
    """A model from a run folder or by a shipped name ("estimation", "synthesis"); see `Model`.

    Raises HandsError if there is no such run.
    """
    from latent_hands.predictor import Model

    return Model.load(run, device)


def __getattr__(name: str) -> Any:
    """Torch is loaded only when a class that needs it is asked for."""
    if name in ("Hand", "Model", "Photo"):
        from latent_hands import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
