"""Hands from photographs without torch: numpy, Pillow and onnxruntime run an exported model.

>>> from latent_hands import lite
>>> model = lite.load("runs/onnx")                        # `latent-hands export-model estimation runs/onnx`
>>> hands = model.find("photo.jpg")                                                        # doctest: +SKIP

`model.find` has the rules, the crops and the results of `latent_hands.load(...).find`. On the command line:
`python -m latent_hands.lite photo.jpg`.
"""

from latent_hands.lite.model import LiteModel, load

__all__ = ["LiteModel", "load"]
