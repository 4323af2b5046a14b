"""One gradient step: which arrows learn, the loss, and the update of the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

from accelerate import Accelerator
from torch import Generator, cat, nn, no_grad, stack
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.random import fork_rng

from latent_hands.beyond.objective import networks
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Feed, Term, total
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch


def let_learn(vae: DisentangledVAE, step: Step, frozen_batchnorm: bool = False) -> None:
    """Set the arrows that the step trains to training mode with gradients, and freeze all others.

    Frozen arrows are also in evaluation mode: in training mode BatchNorm moves its running statistics. With
    `frozen_batchnorm`, those of the arrows that learn stay, too, and normalise.
    """
    for arrows, learning in ((vae.encoders, step.phi), (vae.decoders, step.theta)):
        for name, arrow in arrows.items():
            arrow.train(name in learning).requires_grad_(name in learning)
    if frozen_batchnorm:
        for module in vae.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def parameters(vae: DisentangledVAE, phase: Phase) -> dict[str, nn.Parameter]:
    """Return the parameters that any step of a phase trains, by name; those of objectives come last."""
    arrows = tuple(f"{name}." for step in phase.steps for name in step.learning)
    learned = {name: p for name, p in vae.named_parameters() if name.startswith(arrows)}
    for name, network in networks([phase]).items():
        learned |= {f"objectives.{name}.{own}": p for own, p in network.named_parameters()}
    return learned


def take_step(
    vae: DisentangledVAE,
    step: Step,
    batches: Mapping[Feed, Batch],
    optimiser: Optimizer,
    generator: Generator | None = None,
    accelerator: Accelerator | None = None,
    frozen_batchnorm: bool = False,
) -> list[Term]:
    """Ascend the sum of the step's bounds once; return the terms before the step.

    `batches` has a batch for each feed of the step. Terms of further bounds are named after their feed, as
    "rest_log_p_uv". Several processes average their gradients. Raises HandsError, before anything changes,
    with the name of the first term that is not finite.
    """
    let_learn(vae, step, frozen_batchnorm)
    terms: list[Term] = []
    for number, part in enumerate(step.parts):
        with _one_value_named():
            found = part.bound.terms(vae, batches[part.feed], generator, step.noise)
        terms += found if number == 0 else [replace(t, name=f"{part.feed}_{t.name}") for t in found]
    check_finite(terms)
    optimiser.zero_grad(set_to_none=True)
    (-total(terms)).backward()
    if accelerator is not None and accelerator.num_processes > 1:
        average_gradients(optimiser, accelerator)
    optimiser.step()
    return [Term(term.name, term.value.detach(), term.weight) for term in terms]


def try_step(vae: DisentangledVAE, step: Step, batches: Mapping[Feed, Batch]) -> None:
    """Raise HandsError if BatchNorm has too few values in these batches. No weight and no statistic moves."""
    copy = deepcopy(vae)
    with no_grad(), fork_rng():
        let_learn(copy, step)
        for part in step.parts:
            with _one_value_named():
                bound = replace(part.bound, extra=())
                bound.terms(copy, batches[part.feed], Generator(), step.noise)


@contextmanager
def _one_value_named() -> Iterator[None]:
    """Turn torch's error about BatchNorm with one value into a HandsError: it depends on batch and crop."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise HandsError(
            "BatchNorm has a single value of each channel: set batch_size to 2 or more, or a larger crop_px"
        ) from error


def average_gradients(optimiser: Optimizer, accelerator: Accelerator) -> None:
    """Replace every gradient by its mean over the processes.

    All gradients are exchanged at once: processes that share cores wait for each other at every exchange.
    """
    parameters = (p for group in optimiser.param_groups for p in group["params"])
    gradients = [p.grad for p in parameters if p.grad is not None]
    means = accelerator.reduce(cat([gradient.flatten() for gradient in gradients]), "mean")
    parts = means.split([gradient.numel() for gradient in gradients])  # pyright: ignore[reportAttributeAccessIssue]
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view_as(gradient))


def check_finite(terms: list[Term]) -> None:
    """Raise HandsError naming the first term that is NaN or infinite."""
    if stack([term.value for term in terms]).isfinite().all():
        return
    broken = next(term for term in terms if not term.value.isfinite())
    raise HandsError(f"term {broken.name} is {broken.value.item()}; nothing was saved after it")
