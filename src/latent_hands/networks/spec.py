"""The registries of encoder and decoder networks, and what a network is built from.

A network maps (input, side) to its output, where `side` is the hand's one-hot side or None. Convolutions may
run in bfloat16; every output is float32. A new network is one file with a factory that is registered by name;
an experiment selects it by that name, in [networks] or for one arrow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from torch import nn

from latent_hands.errors import HandsError
from latent_hands.paper.modality import Modality
from latent_hands.registry import Registry
from latent_hands.typed_toml import Range

Precision = Literal["bf16", "float32"]
Stem = Literal["conv", "unshuffle"]
Size = Annotated[int, Range(1, 4096)]


@dataclass(frozen=True)
class Networks:
    """The section [networks]: names and sizes of the networks. The defaults are the paper's (Sec. 4.1).

    Attributes:
        image_encoder: network that reads images, unless an arrow names another one: "resnet18",
            "resnet18_map", "efficientnet_lite0" or "efficientnet_lite0_keypoints".
        image_decoder: network that writes images, unless an arrow names another one: "dcgan", "painter",
            "fine_painter" or "map_painter"; the painters need `over`.
        width: channels of the first stage of ResNet-18.
        stem: first layers of ResNet-18: "conv", those of the original, or "unshuffle", which is several
            times faster on a CPU.
        decoder_width: channels of the last feature map of the DCGAN decoder and the painter.
        painter_blocks: residual blocks of the painter.
        hidden: units of a hidden layer of the fully connected networks.
        layers: number of layers of the fully connected networks.
        precision: precision of the convolutions, "bf16" or "float32".
    """

    image_encoder: str = "resnet18"
    image_decoder: str = "dcgan"
    width: Size = 64
    stem: Stem = "conv"
    decoder_width: Size = 64
    painter_blocks: Annotated[int, Range(0, 64)] = 2
    hidden: Size = 512
    layers: Annotated[int, Range(1, 64)] = 6
    precision: Precision = "bf16"


@dataclass(frozen=True)
class Request:
    """The network that a factory must build.

    Attributes:
        modality: what the network reads (encoder) or writes (decoder).
        size: size of the vector at the latent's end: outputs of an encoder, inputs of a decoder.
        crop_px: side of the images.
        sided: whether the network is given the hand's one-hot side.
        settings: sizes and precision.
        painted: whether the network is also given the pose that it paints over ([decoders] over).
    """

    modality: Modality
    size: int
    crop_px: int
    sided: bool = False
    settings: Networks = field(default_factory=Networks)
    painted: bool = False

    def require(self, network: str, image: bool, painted: bool = False) -> None:
        """Raise HandsError unless a network suits the modality (an image or not) and `painted`."""
        if self.modality.is_image != image:
            kind = "images" if image else "modalities that are not images"
            raise HandsError(
                f'network "{network}" is for {kind}, so it cannot be used for "{self.modality.name}"; '
                "select another network, in [networks] or for this arrow"
            )
        if self.painted != painted:
            raise HandsError(
                f'network "{network}" {"needs" if painted else "cannot paint over"} a decoder of the pose: '
                f"{'set' if painted else 'remove'} over, or select another network"
            )


Factory = Callable[[Request], nn.Module]

ENCODERS: Registry[Factory] = Registry("encoder network")
DECODERS: Registry[Factory] = Registry("decoder network")


def image_autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which convolutions run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
