"""The rules that judge found hands: logistic models of few features (`latent-hands runs calibrate`)."""

from dataclasses import dataclass
from typing import Annotated

from latent_hands.typed_toml import Range

Coefficient = Annotated[float, Range(-1000.0, 1000.0)]


@dataclass(frozen=True)
class SideRule:
    """The section [handedness]: the side of a hand.

    The log-odds of a right hand are the sum of these weights times features. The crop is read as a left and
    as a right hand, and features are differences, right hand minus left hand. A model that decodes `side`
    first reads the crop as one hand, and needs `detector`, `side` and `glance` only.

    Attributes:
        detector: weight of the log-odds of a right hand that the detector states.
        side: weight of the log-odds of a right hand that the model decodes, the mean of the last readings.
        glance: weight of the log-odds of a right hand that the model decodes from the first crop. With a
            single crop, they are those of `side`.
        spread: weight of the logarithm of the mean spread of the joints.
        uv_spread: weight of the logarithm of the mean spread of the joints in the image.
        disagreement: weight of the logarithm of the distance of the pose from the joints in the image.
        nats: weight of the divergence of the posterior from the prior.
    """

    detector: Coefficient = 1.0
    side: Coefficient = 0.0
    glance: Coefficient = 0.0
    spread: Coefficient = -6.0
    uv_spread: Coefficient = 0.0
    disagreement: Coefficient = 0.0
    nats: Coefficient = 0.0


@dataclass(frozen=True)
class Presence:
    """The section [presence]: whether a detection is a hand. Without it, every detection is kept.

    The log-odds of a hand are the sum of weights times features.

    Attributes:
        bias: log-odds where all features are 0.
        score: weight of the log-odds of a hand that the detector states.
        spread: weight of the logarithm of the mean spread of the joints, in bone lengths.
        disagreement: weight of the logarithm of the distance of the pose from the joints in the image.
        overlap: weight of the overlap (intersection over union) of the joints' box with the detector's box.
        threshold: smallest probability of a hand that is kept.
        side_px: weight of the logarithm of the crop's side over that of the network's images, at most 0.
        decoded: weight of the log-odds of a hand that the model decodes, if a decoder writes `presence`.
        least_score: smallest score of a detection that is read and judged by this rule, in place of the
            threshold of the shipped detector. 1: the detector's threshold.
        least_px: smallest side of a detected hand's crop, in pixels of the image. Smaller hands are dropped.
        uv_spread: weight of the logarithm of the mean spread of the joints in the image, in half crops.
    """

    bias: Coefficient
    score: Coefficient
    spread: Coefficient
    disagreement: Coefficient
    overlap: Coefficient
    threshold: Annotated[float, Range(0.0, 1.0)] = 0.5
    side_px: Coefficient = 0.0
    decoded: Coefficient = 0.0
    least_score: Annotated[float, Range(0.0, 1.0)] = 1.0
    least_px: Annotated[float, Range(0.0, 1000.0)] = 0.0
    uv_spread: Coefficient = 0.0


@dataclass(frozen=True)
class Confidence:
    """The section [confidence]: the expected share of joints within 30 mm. Without it, hands have no
    confidence.

    The log-odds of a joint to be within 30 mm are the sum of weights times features.

    Attributes:
        bias: log-odds where all features are 0.
        spread: weight of the logarithm of the mean spread of the joints, in millimetres.
        disagreement: weight of the logarithm of the distance of the pose from the joints in the image.
        score: weight of the log-odds of a hand that the detector states; 0 counts where the box was given.
        side_px: weight of the logarithm of the crop's side over that of the network's images, at most 0.
        side: weight of the log-odds that the hand is of the side that it is read as, if the model decodes it.
        outside: weight of the share of the joints that lie outside the image.
        given: log-odds that are added if the box was given.
        uv_spread: weight of the logarithm of the mean spread of the joints in the image, in half crops.
    """

    bias: Coefficient
    spread: Coefficient
    disagreement: Coefficient
    score: Coefficient
    side_px: Coefficient
    side: Coefficient = 0.0
    outside: Coefficient = 0.0
    given: Coefficient = 0.0
    uv_spread: Coefficient = 0.0
