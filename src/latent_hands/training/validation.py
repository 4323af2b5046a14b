"""Validation: errors of the arrows of a phase on validation data, from the posterior mean."""

from collections.abc import Iterator

import torch
from torch import Tensor

from latent_hands.data.batches import Batches
from latent_hands.data.windows import available
from latent_hands.evaluation.metrics import epe, joint_errors
from latent_hands.hand.geometry import geodesic_deg, nearest_rotation
from latent_hands.paper.algorithms import Part, Phase, Step, keys
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Latent, active_units, means
from latent_hands.paper.modality import Batch, Modality, bernoulli
from latent_hands.pixels import GREY_LEVELS


def measure(modality: Modality) -> str:
    """Return how errors of a modality are measured.

    They are "epe_mm", "deg", "rmse_levels", "wrong" for numbers 0 and 1, or "rmse" for others.
    """
    if modality.likelihood is bernoulli:
        return "wrong"
    if modality.shape == (21, 3) and modality.kind == "points":
        return "epe_mm"
    return {"matrix": "deg", "image": "rmse_levels"}.get(modality.kind, "rmse")


@torch.no_grad()
def validate(vae: DisentangledVAE, phase: Phase, batches: Batches, device: torch.device) -> dict[str, float]:
    """Return the error of every decoder of the phase and the active units of every factor.

    * `epe_mm` (decoder "pose"), `cpose_epe_mm`, ..: mean end-point error (EPE) over visible joints, with the
      true bone length;
    * `viewpoint_deg`: geodesic angle in degrees;
    * `rgb_rmse_levels`: root mean square error in grey levels;
    * `side_wrong`: share of the crops, and of their mirror images, whose side is wrong;
    * `active_<factor>`: the number of units whose posterior mean varies (`active_units`); nothing varies in
      a single hand.

    Names of further steps begin with their number ("step2_"). Steps with noise are left out, and so are steps
    on photographs. Labels that are unknown (NaN) do not count.
    """
    training = vae.training
    vae.eval()
    result: dict[str, float] = {}
    for number, step in enumerate(phase.steps, start=1):
        if step.noise or step.feed == "photos":
            continue
        found = validate_step(vae, step, batches, device)
        result |= found if number == 1 else {f"step{number}_{name}": value for name, value in found.items()}
    vae.train(training)
    return result


def validate_step(
    vae: DisentangledVAE, step: Step, batches: Batches, device: torch.device
) -> dict[str, float]:
    """Return the errors and active units of one step's bound."""
    needed = keys(vae, [Part(step.bound, step.feed)])
    meta = {"bone_mm", "visible"} & set(available(batches.windows))
    latents: list[Latent] = []
    errors: dict[str, list[Tensor]] = {arrow: [] for arrow in step.bound.decoders}
    visible: list[Tensor] = []
    for batch in _shown(batches, needed | meta):
        batch = {key: value.to(device) for key, value in batch.items()}
        z = means(vae.infer(step.bound.encoders, batch))
        latents.append(z)
        count = len(next(iter(z.values())))
        everything = torch.ones(count, 21, dtype=torch.bool, device=device)
        visible.append(batch.get("visible", everything))
        for arrow in step.bound.decoders:
            prediction = vae.decode(arrow, z, batch.get("right"))
            errors[arrow].append(error_of(vae.decoder(arrow).modality, prediction, batch))
    result = {}
    for arrow, each in errors.items():
        measured = measure(vae.decoder(arrow).modality)
        name = measured if arrow == "pose" else f"{arrow}_{measured}"
        result[name] = summary(measured, torch.cat(each), torch.cat(visible)).item()
    inferred = {factor: torch.cat([z[factor] for z in latents]) for factor in latents[0]}
    active = {f"active_{f}": float(active_units(mean)) for f, mean in inferred.items() if len(mean) > 1}
    return result | active


def _shown(batches: Batches, wanted: frozenset[str]) -> Iterator[Batch]:
    """Yield the batches of validation, mirrored ones as well if the side is wanted."""
    yield from batches.epoch(0, wanted)
    if "side" in wanted:
        yield from batches.mirrored().epoch(0, wanted)


def error_of(modality: Modality, prediction: Tensor, batch: Batch) -> Tensor:
    """Return the errors of one modality: mm per joint, degrees or squared errors per sample."""
    measured, truth = measure(modality), batch[modality.name]
    if measured == "epe_mm":
        bone_mm = batch["bone_mm"][:, None, None]
        return joint_errors(prediction * bone_mm, truth * bone_mm)
    if measured == "deg":
        return geodesic_deg(nearest_rotation(prediction), truth)
    if measured == "wrong":
        wrong = ((prediction > 0) != (truth > 0.5)).float().masked_fill(truth.isnan(), torch.nan)
        return wrong.flatten(1).nanmean(dim=1)
    unit = GREY_LEVELS if modality.is_image else 1.0
    return (unit * (prediction - truth)).square().flatten(1).nanmean(dim=1)


def summary(measured: str, errors: Tensor, visible: Tensor) -> Tensor:
    """Return one number for the errors of all samples."""
    if measured == "epe_mm":
        return epe(errors, visible & ~errors.isnan())
    return errors.nanmean() if measured in ("deg", "wrong") else errors.nanmean().sqrt()
