"""tools/calibrate.py finds how sure of itself a model is, whose posterior was made too narrow or too wide."""

import calibrate
import pytest
import torch
from tiny_models import ESTIMATION, tiny_model

from latent_hands import synthesis
from latent_hands.paper.latent import sample


def seen(temperature: float, hands: int = 200) -> calibrate.Seen:
    """Hands drawn from posteriors so many times as wide as the model says they are."""
    model = tiny_model(ESTIMATION)
    with torch.inference_mode():
        factors = model.experiment.decoders["pose"].factors
        images = torch.rand(hands, 3, model.crop_px, model.crop_px) * 2 - 1
        q = synthesis.posterior(model.vae, factors, {"rgb": images})
        wide = {factor: each.widened(temperature) for factor, each in q.items()}
        truth = synthesis.decode(model.vae, sample(wide, torch.Generator().manual_seed(1)))["pose"]
    bone_mm, visible = torch.full((hands,), 40.0), torch.ones(hands, 20, dtype=torch.bool)
    return calibrate.Seen(
        model, [(q, None)], truth[:, 1:] * 40, bone_mm, visible, torch.arange(hands) // 2, None
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_width_that_truth_was_drawn_with_is_found(temperature):
    torch.manual_seed(0)
    found, _ = calibrate.calibrate(seen(temperature))
    assert found == pytest.approx(temperature, rel=0.1)


def test_scenes_are_never_halved():
    block = torch.tensor([3, 3, 7, 7, 7, 9, 11])
    one, other = calibrate.halves(block)
    assert (one ^ other).all()
    assert all(len(one[block == b].unique()) == 1 for b in block.unique())
