"""The plain baseline: least squares through the same networks, without a stochastic latent."""

from dataclasses import replace

from latent_hands.paper.algorithms import Phase, learn
from latent_hands.paper.bound import Bound


def regression(bound: Bound, epochs: int) -> tuple[Phase, ...]:
    """Return Eq. 1 with beta = 0 and the mean of q decoded instead of a draw."""
    return (Phase("regression", (learn(replace(bound, beta=0.0, drawn=False)),), epochs),)
