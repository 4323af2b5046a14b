"""The graph of an experiment, with freshly initialised networks."""

from dataclasses import replace

import torch
from torch import nn

from latent_hands.beyond.painter import PaintedDecoder, check_over
from latent_hands.build.unfilled import Unfilled
from latent_hands.configuration import DecoderArrow, EncoderArrow, Experiment
from latent_hands.data.labels import modality
from latent_hands.errors import HandsError
from latent_hands.networks import DECODERS, ENCODERS, Enlarged, Factory, Networks, Reduced, Request
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder, check_factors
from latent_hands.paper.modality import Modality
from latent_hands.registry import Registry

MAX_WEIGHTS = 500_000_000
"""2 GB of weights; a training needs four times as much."""


def build_vae(experiment: Experiment) -> DisentangledVAE:
    """Return the graph; the same seed gives the same initial weights.

    Raises HandsError for unknown factors, modalities and networks, for a decoder that cannot be painted over
    another one, and for more than MAX_WEIGHTS weights, before they take memory.
    """
    sketch_vae(experiment)
    return construct_vae(experiment)


def sketch_vae(experiment: Experiment) -> DisentangledVAE:
    """Return the graph on the device "meta": its weights have shapes and no memory.

    Raises HandsError as `build_vae` does.
    """
    with Unfilled(), torch.device("meta"):
        vae = construct_vae(experiment)
    weights = sum(parameter.numel() for parameter in vae.parameters())
    if weights > MAX_WEIGHTS:
        raise HandsError(
            f"the graph has {weights:,} weights; it can have at most {MAX_WEIGHTS:,}: make hidden, layers, "
            "width or decoder_width of [networks] smaller"
        )
    return vae


def construct_vae(experiment: Experiment) -> DisentangledVAE:
    """Return the graph, whatever its size; arguments and other errors as in `build_vae`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.training.seed)
        encoders = {name: build_encoder(experiment, name, a) for name, a in experiment.encoders.items()}
        decoders = {name: build_decoder(experiment, name, a) for name, a in experiment.decoders.items()}
    for name, arrow in experiment.decoders.items():
        if arrow.over is not None:
            plain = decoders[name]
            check_over(name, arrow.factors, arrow.over, decoders)
            decoders[name] = PaintedDecoder(
                plain.modality, arrow.factors, plain.network, decoders[arrow.over], plain.sided
            )
    return DisentangledVAE(experiment.latent, encoders, decoders)


def build_encoder(experiment: Experiment, name: str, arrow: EncoderArrow) -> Encoder:
    """Return an encoder: the arrow's network, [networks] image_encoder, or "mlp" for anything but images."""
    check_factors("encoder", name, arrow.factors, experiment.latent)
    m, n = modality(arrow.reads), sizes_of(experiment.networks, arrow)
    check_sizes(f'encoder "{name}"', m, arrow)
    sizes = {factor: experiment.latent[factor] for factor in arrow.factors}
    sided = experiment.data.right_hands == "condition" and m.is_image
    network = arrow.network or (n.image_encoder if m.is_image else "mlp")
    request = Request(m, 2 * sum(sizes.values()), arrow.px or experiment.data.crop_px, sided, n)
    built = build_network(f'encoder "{name}"', ENCODERS, network, request)
    times = times_smaller(f'encoder "{name}"', m, arrow.px, experiment.data.crop_px)
    return Encoder(m, sizes, Reduced(built, times) if times > 1 else built, sided)


def build_decoder(experiment: Experiment, name: str, arrow: DecoderArrow) -> Decoder:
    """Return a decoder: the arrow's network, [networks] image_decoder, or "mlp" for anything but images."""
    check_factors("decoder", name, arrow.factors, experiment.latent)
    m, n = modality(arrow.writes), sizes_of(experiment.networks, arrow)
    check_sizes(f'decoder "{name}"', m, arrow)
    if arrow.over is not None and not m.is_image:
        raise HandsError(f'decoder "{name}" writes {arrow.writes}; only images are painted over')
    sided = experiment.data.right_hands == "condition" and m.name == "pose"
    image = "painter" if arrow.over is not None else n.image_decoder
    network = arrow.network or (image if m.is_image else "mlp")
    inputs = sum(experiment.latent[factor] for factor in arrow.factors)
    px, painted = arrow.px or experiment.data.crop_px, arrow.over is not None
    built = build_network(f'decoder "{name}"', DECODERS, network, Request(m, inputs, px, sided, n, painted))
    times = times_smaller(f'decoder "{name}"', m, arrow.px, experiment.data.crop_px)
    return Decoder(m, arrow.factors, Enlarged(built, times) if times > 1 else built, sided)


def times_smaller(where: str, m: Modality, px: int | None, crop_px: int) -> int:
    """Return how often the images of an arrow fit into the side of the crop; 1 without its option px.

    Raises HandsError, which names the arrow, if it is not an arrow of images, or if px does not divide the
    side of the crop.
    """
    if px is not None and not m.is_image:
        raise HandsError(f"{where}: px is {px}, but {m.name} is no image; remove px")
    if px is not None and crop_px % px:
        raise HandsError(f"{where}: px is {px}; it must divide [data] crop_px, {crop_px}")
    return crop_px // (px or crop_px)


def check_sizes(where: str, m: Modality, arrow: EncoderArrow | DecoderArrow) -> None:
    """Raise HandsError, which names the arrow, for a size that its networks do not have."""
    width = getattr(arrow, "width", None)
    if arrow.hidden is not None and m.is_image:
        raise HandsError(f"{where}: hidden is {arrow.hidden}, but {m.name} is an image; remove hidden")
    if width is not None and not m.is_image:
        raise HandsError(f"{where}: width is {width}, but {m.name} is no image; remove width")


def sizes_of(networks: Networks, arrow: EncoderArrow | DecoderArrow) -> Networks:
    """Return the settings of an arrow's network."""
    given = {"hidden": arrow.hidden, "decoder_width": getattr(arrow, "width", None)}
    return replace(networks, **{key: size for key, size in given.items() if size is not None})


def build_network(where: str, factories: Registry[Factory], name: str, request: Request) -> nn.Module:
    """Return the network of an arrow. Raises HandsError, which names the arrow, as the factory does."""
    try:
        return factories.find(name)(request)
    except HandsError as error:
        raise HandsError(f"{where}: {error}") from error
