"""The weights lambda and beta of the bounds: the numbers of Sec. 4.1, and a balanced alternative.

With -1/2 sum of squared errors and the KL both summed over dimensions, a direction of the data is coded only
if its variance exceeds sigma^2 = beta / lambda. Images are in grey levels 0..255, poses in bone lengths, and
a viewpoint is 9 matrix entries. The paper's lambda_x = 1 then means sigma = 10 grey levels for synthesis
(beta = 100) and 0.1 bone for estimation (beta = 0.01).
"""

from collections.abc import Collection, Mapping
from typing import Literal

from latent_hands.paper.modality import Modality

Preset = Literal["paper", "balanced"]

BETA_SYNTHESIS = 100.0
BETA_ESTIMATION = 0.01
LAM_X = 1.0
LAM_Y = 0.01


def lambda_and_beta(
    preset: Preset, written: Mapping[str, Modality], y: Collection[str] | None
) -> tuple[dict[str, float], float]:
    """Return lambda of every decoder, and beta.

    "paper" (Sec. 4.1): lambda_x = 1, lambda_y = 0.01. With beta = 100 its pose term codes nothing, and the
    pose factor of a synthesis model is learnt through the image alone. "balanced" codes every modality to
    its sigma, 10 grey levels or 0.1 bone: lambda = beta / sigma^2, so lambda_tag = 1 and lambda_pose = 1e4.

    Args:
        preset: "paper" or "balanced".
        written: {decoder: the modality that it writes}.
        y: names of the modalities y_i that the disentangling step encodes; all others are x. None stands for
            the cross-modal VAE, whose Eq. 1 has no weights: all are 1.
    """
    images = any(modality.is_image for modality in written.values())
    beta = BETA_SYNTHESIS if images else BETA_ESTIMATION
    if preset == "balanced":
        return {arrow: beta / modality.sigma**2 for arrow, modality in written.items()}, beta
    if y is None:
        return dict.fromkeys(written, 1.0), 1.0
    return {arrow: LAM_Y if modality.name in y else LAM_X for arrow, modality in written.items()}, beta
