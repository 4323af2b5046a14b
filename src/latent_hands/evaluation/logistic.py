"""Logistic regression with shares as targets, and the reliability of its predictions."""

import numpy as np
from jaxtyping import Float, Float64

STEPS = 30


def fit_logistic(
    features: Float[np.ndarray, "n k"],
    target: Float[np.ndarray, " n"],
    ridge: float | Float[np.ndarray, " k"] = 1.0,
    start: Float[np.ndarray, " k"] | None = None,
) -> Float64[np.ndarray, " k"]:
    """Return the weights w that maximise sum_i y_i ln p_i + (1 - y_i) ln(1 - p_i) - ridge/2 |w - start|^2.

    p_i = sigmoid(w . x_i). Targets y are shares from 0 to 1. `start` is 0 by default: what the data do not
    decide stays there. The maximum is unique, and Newton's method finds it.
    """
    X, y = np.asarray(features, np.float64), np.asarray(target, np.float64)
    prior = np.zeros(X.shape[1]) if start is None else np.asarray(start, np.float64)
    penalty = np.broadcast_to(np.asarray(ridge, np.float64), prior.shape)

    def loss(w: np.ndarray) -> float:
        z = X @ w
        return float((np.logaddexp(0, z) - y * z).sum() + (penalty * (w - prior) ** 2).sum() / 2)

    w = prior.copy()
    for _ in range(STEPS):
        p = sigmoid(X @ w)
        gradient = X.T @ (y - p) - penalty * (w - prior)
        hessian = (X * (p * (1 - p))[:, None]).T @ X + np.diag(penalty)
        step = np.linalg.lstsq(hessian, gradient)[0]
        size = 1.0
        while loss(w + size * step) > loss(w) and size > 1e-6:
            size /= 2
        w = w + size * step
    return w


def sigmoid(logit: Float[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """Return 1 / (1 + exp(-logit))."""
    return np.asarray(0.5 * (1 + np.tanh(np.asarray(logit, np.float64) / 2)))


def reliability(
    predicted: Float[np.ndarray, " n"], observed: Float[np.ndarray, " n"], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Return (mean prediction, mean observation, number) of equally many hands, by rising prediction."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [(float(predicted[p].mean()), float(observed[p].mean()), len(p)) for p in parts]


def calibration_error(predicted: Float[np.ndarray, " n"], observed: Float[np.ndarray, " n"]) -> float:
    """Return the mean distance of prediction and observation over the bins of `reliability`."""
    rows = reliability(predicted, observed)
    return sum(abs(p - o) * n for p, o, n in rows) / max(sum(n for *_, n in rows), 1)
