"""What a graph knows of hands: the factors that describe them, and what it decodes them into."""

from jaxtyping import Bool
from torch import Tensor

from latent_hands import synthesis
from latent_hands.hand import geometry
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch

DECODED = ("pose", "cpose", "viewpoint", "uv", "place", "side", "presence")
"""The modalities that describe a hand."""
MEASURED = ("uv", "side", "presence")
"""Modalities whose factors are inferred beside those of the pose, if the graph can."""


def reads(vae: DisentangledVAE, encoder: str | None = None) -> str:
    """Return the modality that an encoder reads; "rgb" if none is named.

    Raises HandsError for an unknown encoder.
    """
    return "rgb" if encoder is None else vae.encoder(encoder).reads


def factors_of(vae: DisentangledVAE, written: str) -> synthesis.Factors:
    """Return the factors that the decoder of this modality reads. Raises HandsError if there is none."""
    return vae.decoder(synthesis.find_decoder(vae, written, vae.latent)).factors


def hand_factors(vae: DisentangledVAE, encoder: str | None = None) -> synthesis.Factors:
    """Return the factors of the pose, and those of `MEASURED` that can be inferred, too."""
    pose = factors_of(vae, "pose")
    names = [encoder] if encoder else vae.encoders
    arrows = [arrow for arrow in map(vae.encoder, names) if arrow.reads == reads(vae, encoder)]
    inferred = {factor for arrow in arrows for factor in arrow.factors}
    further = [_read_by(vae, written) for written in MEASURED]
    able = {factor for factors in further if factors <= inferred for factor in factors}
    return (*pose, *sorted(able - set(pose)))


def with_canonical(decoded: Batch, right: Bool[Tensor, " batch"] | None) -> dict[str, Tensor]:
    """Return pose, cpose and viewpoint, and uv, place, side and presence if they are decoded.

    Cpose and viewpoint are computed from the pose if not both are decoded.
    """
    if "cpose" not in decoded or "viewpoint" not in decoded:
        cpose, viewpoint = geometry.canonicalise(decoded["pose"], right)
        decoded = {"cpose": cpose, "viewpoint": viewpoint} | decoded
    decoded["viewpoint"] = geometry.nearest_rotation(decoded["viewpoint"])
    return {name: decoded[name].float() for name in DECODED if name in decoded}


def _read_by(vae: DisentangledVAE, written: str) -> set[str]:
    """Return the factors that the decoders of a modality read."""
    arrows = map(vae.decoder, vae.decoders)
    return {factor for arrow in arrows if arrow.writes == written for factor in arrow.factors}
