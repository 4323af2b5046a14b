"""The networks of Sec. 4.1: ResNet-18, the DCGAN decoder and six fully connected layers.

Each maps (input, side) to its output, `side` being the hand's one-hot side or None. The image networks may
run in bfloat16; every output is float32.
"""

from typing import Literal

import torch

Precision = Literal["bf16", "float32"]


def image_autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which convolutions run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
