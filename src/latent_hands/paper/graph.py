"""The model as a bipartite graph (Fig. 2): encoders map modality -> factors, decoders factors -> modality."""

import re
from collections.abc import Collection, Iterable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.latent import LOG_VAR_RANGE, Gaussian, Latent, Posterior, product
from latent_hands.paper.modality import Batch, Modality

MAX_NAMES = 64
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def side_one_hot(right: Bool[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
    """Return (1, 0) for left hands and (0, 1) for right hands."""
    return torch.stack([~right, right], dim=1).float()


class Encoder(nn.Module):
    """q(z_factors | modality): an arrow from a modality to one or more factors.

    Args:
        modality: what it reads.
        sizes: {factor: its size}, in the order of the network's outputs.
        network: maps (batch, *shape) and the side to (batch, 2 * sum of sizes).
        sided: whether the network is given the hand's side as a one-hot vector; otherwise it is given None.
    """

    def __init__(self, modality: Modality, sizes: Mapping[str, int], network: nn.Module, sided: bool = False):
        super().__init__()
        self.modality = modality
        self.sizes = dict(sizes)
        self.network = network
        self.sided = sided

    @property
    def reads(self) -> str:
        """Return the name of the modality."""
        return self.modality.name

    @property
    def factors(self) -> tuple[str, ...]:
        """Return the factors that this arrow infers."""
        return tuple(self.sizes)

    def forward(self, observed: Tensor, side: Float[Tensor, "batch 2"] | None = None) -> Posterior:
        """Return a Gaussian for each factor, its log-variance clamped to [-10, 10]."""
        mean, log_var = self.network(observed, side).float().chunk(2, dim=1)
        sizes = list(self.sizes.values())
        parts = zip(mean.split(sizes, dim=1), log_var.clamp(*LOG_VAR_RANGE).split(sizes, dim=1), strict=True)
        return {factor: Gaussian(*part) for factor, part in zip(self.sizes, parts, strict=True)}


class Decoder(nn.Module):
    """p(modality | z_factors): an arrow from some of the factors to a modality.

    Args:
        modality: what it writes.
        factors: the factors it reads, concatenated in this order.
        network: maps (batch, sum of their sizes) and the side to (batch, *shape).
        sided: whether the network is given the hand's side as a one-hot vector; otherwise it is given None.
    """

    def __init__(self, modality: Modality, factors: Iterable[str], network: nn.Module, sided: bool = False):
        super().__init__()
        self.modality = modality
        self.factors = tuple(factors)
        self.network = network
        self.sided = sided

    @property
    def writes(self) -> str:
        """Return the name of the modality."""
        return self.modality.name

    def forward(self, latent: Latent, side: Float[Tensor, "batch 2"] | None = None) -> Tensor:
        """Return the parameter of p(modality | z), float32: its mean, for a Gaussian."""
        return self.network(self.concatenate(latent), side).float()

    def concatenate(self, latent: Latent) -> Float[Tensor, "batch _"]:
        """Return the factors that this arrow reads as one vector a sample."""
        return torch.cat([latent[factor] for factor in self.factors], dim=1)


class DisentangledVAE(nn.Module):
    """The dVAE: factors, and named arrows between them and the modalities.

    Two arrows may read or write the same modality. Raises HandsError if an arrow names an unknown factor.

    Args:
        latent: {factor: size}.
        encoders, decoders: arrows by name.
    """

    def __init__(
        self, latent: Mapping[str, int], encoders: Mapping[str, Encoder], decoders: Mapping[str, Decoder]
    ):
        super().__init__()
        self.latent = dict(latent)
        for role, arrows in (("encoder", encoders), ("decoder", decoders)):
            for name, arrow in arrows.items():
                check_factors(role, name, arrow.factors, self.latent)
        self.encoders = nn.ModuleDict(encoders)
        self.decoders = nn.ModuleDict(decoders)

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the modalities that encoders read, each once."""
        return tuple(dict.fromkeys(self.encoder(name).reads for name in self.encoders))

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the modalities that decoders write, each once."""
        return tuple(dict.fromkeys(self.decoder(name).writes for name in self.decoders))

    @property
    def arrows(self) -> dict[str, Encoder | Decoder]:
        """Return all arrows by their full names, "encoders.NAME" and "decoders.NAME"."""
        arrows: dict[str, Encoder | Decoder] = {f"encoders.{n}": self.encoder(n) for n in self.encoders}
        return arrows | {f"decoders.{n}": self.decoder(n) for n in self.decoders}

    def encoder(self, arrow: str) -> Encoder:
        """Return the encoder of that name. Raises HandsError if there is none."""
        return find_arrow("encoder", arrow, self.encoders)  # pyright: ignore[reportReturnType]

    def decoder(self, arrow: str) -> Decoder:
        """Return the decoder of that name. Raises HandsError if there is none."""
        return find_arrow("decoder", arrow, self.decoders)  # pyright: ignore[reportReturnType]

    def encode(self, arrow: str, batch: Batch) -> Posterior:
        """Return q(z_factors | m) of one encoder; m is the batch's value of the modality that it reads.

        Samples of which m is unknown (NaN) have the prior: nothing is inferred from what is not observed.
        """
        encoder = self.encoder(arrow)
        observed = present(batch, encoder.reads, f'encoder "{arrow}"')
        side = side_one_hot(present(batch, "right", f'encoder "{arrow}"')) if encoder.sided else None
        if encoder.modality.is_image or not observed.isnan().any():
            return encoder(observed, side)
        known = ~observed.flatten(1).isnan().any(dim=1, keepdim=True)
        posterior = encoder(observed.nan_to_num(), side)
        return {
            f: Gaussian(*(t.where(known, 0.0) for t in (q.mean, q.log_var))) for f, q in posterior.items()
        }

    def infer(self, arrows: Iterable[str], batch: Batch) -> Posterior:
        """Return the product of the posteriors of several encoders over disjoint factors."""
        return product(*(self.encode(arrow, batch) for arrow in arrows))

    def decode(self, arrow: str, latent: Latent, right: Bool[Tensor, " batch"] | None = None) -> Tensor:
        """Return the output of one decoder for a latent.

        `right` marks right hands; only decoders that are conditioned on the side need it.
        Raises HandsError for a factor that the latent lacks, and for a missing side.
        """
        decoder = self.decoder(arrow)
        for factor in decoder.factors:
            present(latent, factor, f'decoder "{arrow}"')
        if not decoder.sided:
            return decoder(latent, None)
        if right is None:
            raise HandsError(f'decoder "{arrow}" is conditioned on the side, but "right" is missing')
        return decoder(latent, side_one_hot(right))


def check_factors(role: str, arrow: str, factors: Iterable[str], latent: Iterable[str]) -> None:
    """Raise HandsError if an arrow names no factor, one twice, or one that the latent does not have."""
    named = list(factors)
    if not named or len(set(named)) < len(named):
        count = "a factor twice" if named else "no factor"
        raise HandsError(f'{role} "{arrow}" names {count}; "factors" must be one or more names, each once')
    for factor in named:
        if factor not in latent:
            raise HandsError(
                f'{role} "{arrow}" names unknown factor "{factor}"; {did_you_mean(factor, latent)}'
            )


def check_names(role: str, names: Collection[str]) -> None:
    """Raise HandsError for too many factors or arrows, and for names that PyTorch cannot give to modules."""
    if len(names) > MAX_NAMES:
        raise HandsError(f"there are {len(names):,} {role}s; there can be at most {MAX_NAMES}")
    for name in names:
        if not _NAME.fullmatch(name) or hasattr(nn.ModuleDict(), name):
            raise HandsError(
                f'a {role} cannot have the name "{name}"; a name is a letter and up to 63 letters, digits, '
                '"_" or "-", but no word that PyTorch uses, such as "keys" or "values"'
            )


def find_arrow(role: str, name: str, arrows: nn.ModuleDict) -> nn.Module:
    """Return the arrow of that name. Raises HandsError if there is none."""
    if name not in arrows:
        raise HandsError(f'unknown {role} "{name}"; {did_you_mean(name, arrows.keys())}')
    return arrows[name]


def present(tensors: Mapping[str, Tensor], key: str, who: str) -> Tensor:
    """Return the tensor of that key. Raises HandsError if it was not observed."""
    if key not in tensors:
        raise HandsError(f'{who} needs "{key}", which is absent; present: {", ".join(sorted(tensors))}')
    return tensors[key]
