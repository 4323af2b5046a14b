"""The model as a bipartite graph: encoders are arrows modality -> factors, decoders factors -> modality."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.latent import LOG_VAR_RANGE, Gaussian, Latent, Posterior, joint
from latent_hands.paper.modality import Batch, modality


def side_one_hot(right: Bool[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
    """(1, 0) for left hands, (0, 1) for right hands."""
    return torch.stack([~right, right], dim=1).float()


class Encoder(nn.Module):
    """q(z_factors | modality): an arrow from a modality to one or more factors.

    Args:
        reads: the modality.
        sizes: {factor: its size}, in the order of the network's outputs.
        network: maps (batch, *shape) and, if sided, the side's one-hot to (batch, 2 * sum of sizes).
        sided: whether the network is told the hand's side.
    """

    def __init__(self, reads: str, sizes: Mapping[str, int], network: nn.Module, sided: bool = False):
        super().__init__()
        self.reads = modality(reads).name
        self.sizes = dict(sizes)
        self.network = network
        self.sided = sided

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that this arrow infers."""
        return tuple(self.sizes)

    def forward(self, observed: Tensor, side: Float[Tensor, "batch 2"] | None = None) -> Posterior:
        """A Gaussian for every factor, its log-variance clamped to [-10, 10]."""
        mean, log_var = self.network(observed, side).float().chunk(2, dim=1)
        sizes = list(self.sizes.values())
        parts = zip(mean.split(sizes, dim=1), log_var.clamp(*LOG_VAR_RANGE).split(sizes, dim=1), strict=True)
        return {factor: Gaussian(*part) for factor, part in zip(self.sizes, parts, strict=True)}


class Decoder(nn.Module):
    """p(modality | z_factors): an arrow from some of the factors to a modality.

    Args:
        writes: the modality.
        factors: the factors it reads, concatenated in this order.
        network: maps (batch, sum of their sizes) and, if sided, the side's one-hot to (batch, *shape).
        sided: whether the network is told the hand's side.
        over: the decoder whose decoded pose the network paints over (see `HandPainter`); it reads some of
            the same factors, so p(m | z_factors) stays a function of them.
    """

    def __init__(
        self,
        writes: str,
        factors: Iterable[str],
        network: nn.Module,
        sided: bool = False,
        over: str | None = None,
    ):
        super().__init__()
        self.writes = modality(writes).name
        self.factors = tuple(factors)
        self.network = network
        self.sided = sided
        self.over = over

    def forward(
        self, latent: Latent, side: Float[Tensor, "batch 2"] | None = None, pose: Tensor | None = None
    ) -> Tensor:
        """The mean of p(modality | z), float32; `pose` is what the decoder that it lies over says."""
        z = torch.cat([latent[factor] for factor in self.factors], dim=1)
        return (self.network(z, side) if pose is None else self.network(z, side, pose)).float()


class DisentangledVAE(nn.Module):
    """The dVAE: factors, and the arrows between them and the modalities, each by its own name.

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
        for name, arrow in decoders.items():
            check_over(name, arrow, decoders)

    def encoder(self, arrow: str) -> Encoder:
        """The encoder of that name; HandsError if there is none."""
        return find_arrow("encoder", arrow, self.encoders)  # pyright: ignore[reportReturnType]

    def decoder(self, arrow: str) -> Decoder:
        """The decoder of that name; HandsError if there is none."""
        return find_arrow("decoder", arrow, self.decoders)  # pyright: ignore[reportReturnType]

    def encode(self, arrow: str, batch: Batch) -> Posterior:
        """q(z_factors | m) of one encoder, m taken from the batch by the modality's name."""
        encoder = self.encoder(arrow)
        observed = present(batch, encoder.reads, f'encoder "{arrow}"')
        side = side_one_hot(present(batch, "right", f'encoder "{arrow}"')) if encoder.sided else None
        return encoder(observed, side)

    def infer(self, arrows: Iterable[str], batch: Batch) -> Posterior:
        """The joint posterior of several encoders over disjoint factors."""
        return joint(*(self.encode(arrow, batch) for arrow in arrows))

    def decode(self, arrow: str, latent: Latent, right: Bool[Tensor, " batch"] | None = None) -> Tensor:
        """The mean of p(m | z_factors) of one decoder; `right` only for models that are told the side."""
        decoder = self.decoder(arrow)
        for factor in decoder.factors:
            present(latent, factor, f'decoder "{arrow}"')
        pose = None if decoder.over is None else self.decode(decoder.over, latent, right)
        if not decoder.sided:
            return decoder(latent, None, pose)
        if right is None:
            raise HandsError(f'decoder "{arrow}" must be told the side: "right" is missing')
        return decoder(latent, side_one_hot(right), pose)


def check_over(name: str, arrow: Decoder, decoders: Mapping[str, Decoder]) -> None:
    """Raise HandsError unless a decoder lies over none, or over a pose decoder that reads its factors."""
    if arrow.over is None:
        return
    read = set(arrow.factors)
    poses = [other for other, d in decoders.items() if d.writes == "pose" and set(d.factors) <= read]
    if arrow.over not in poses or not modality(arrow.writes).is_image:
        legal = ", ".join(poses) or "none here"
        raise HandsError(
            f'decoder "{name}" cannot lie over "{arrow.over}"; legal: an image over a pose decoder '
            f"that reads some of {', '.join(arrow.factors)}: {legal}"
        )


def check_factors(role: str, arrow: str, factors: Iterable[str], latent: Iterable[str]) -> None:
    """Raise HandsError if an arrow names a factor that the latent does not have."""
    for factor in factors:
        if factor not in latent:
            raise HandsError(
                f'{role} "{arrow}" names unknown factor "{factor}"; {did_you_mean(factor, latent)}'
            )


def find_arrow(role: str, name: str, arrows: nn.ModuleDict) -> nn.Module:
    """The arrow of that name; HandsError if there is none."""
    if name not in arrows:
        raise HandsError(f'unknown {role} "{name}"; {did_you_mean(name, arrows.keys())}')
    return arrows[name]


def present(tensors: Mapping[str, Tensor], key: str, who: str) -> Tensor:
    """The tensor of that key; HandsError if it was not observed."""
    if key not in tensors:
        raise HandsError(f'{who} needs "{key}", which is absent; present: {", ".join(sorted(tensors))}')
    return tensors[key]
