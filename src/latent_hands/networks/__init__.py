"""Encoder and decoder networks: ResNet-18, DCGAN, six fully connected layers (Sec. 4.1), EfficientNet."""

from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.keypoints import KeypointEfficientNet
from latent_hands.networks.mlp import MLP
from latent_hands.networks.resized import Enlarged, Reduced
from latent_hands.networks.resnet import ResNet18
from latent_hands.networks.scene_map import MapResNet18
from latent_hands.networks.spec import DECODERS, ENCODERS, Factory, Networks, Request

__all__ = [
    "DECODERS",
    "ENCODERS",
    "MLP",
    "DCGANDecoder",
    "EfficientNetLite0",
    "Enlarged",
    "Factory",
    "KeypointEfficientNet",
    "MapResNet18",
    "Networks",
    "Reduced",
    "Request",
    "ResNet18",
]
