"""Images of random latents, beside the given images that are nearest to them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import draw
from latent_hands.data.sample import Sample, listed
from latent_hands.draw import ImageArray
from latent_hands.errors import HandsError, check_whole
from latent_hands.files import write_text
from latent_hands.paper.latent import Latent
from latent_hands.pixels import to_images
from latent_hands.predictor import Hand, Model, as_model
from latent_hands.predictor.decoded_hands import decoded_hands
from latent_hands.predictor.hand_factors import DECODED
from latent_hands.studies.assess.kernel_distance import FeatureReader
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import Encoded, encode
from latent_hands.studies.sampling.gaussian import LatentGaussian
from latent_hands.studies.sampling.mixture import LatentMixture
from latent_hands.studies.sampling.nearest import Nearest, nearest, pixel_vectors
from latent_hands.studies.sampling.own_latents import find_mixtures, roles_of

MOST_SAMPLES = 10_000
GROUPS, CELL_PX = 4, 96
"""Samples in a row of the sheet, and the side of its images."""


@dataclass(frozen=True)
class Sampled:
    """Images of random latents.

    Attributes:
        images: (n, 3, px, px), from -1 to 1.
        hands: the left hand of each image: joints in the image (`uv_px`) and in space, decoded from the same
            latent. Bone (40 mm) and camera are assumed.
        about: what was drawn: seed, distributions, and the distances to the images of `samples`.
        near: the nearest images of `samples` by kind of distance, for each drawn image.
    """

    images: Float[Tensor, "n 3 px px"]
    hands: list[Hand]
    about: dict[str, Any]
    near: dict[str, list[ImageArray]]

    def __repr__(self) -> str:
        """Return one line: the shape of the images, and the seed."""
        return f"Sampled(images {tuple(self.images.shape)}, seed {self.about.get('seed')})"

    @property
    def rgb(self) -> list[ImageArray]:
        """The images as uint8 arrays (height, width, 3)."""
        return to_images(self.images)


def sample_images(
    run: Model | str | Path,
    count: int,
    seed: int = 0,
    samples: Sequence[Sample] = (),
    fitted: bool | None = None,
    features: FeatureReader | None = None,
) -> Sampled:
    """Decode random latents into images; with `samples`, find the nearest of these to each.

    Args:
        run: a model with a decoder of images, or what `lh.load` accepts.
        count: number of images, 1 .. 10,000.
        seed: seed of the latents. The first images do not depend on `count`.
        samples: images to compare with, such as those of the training.
        fitted: True draws latents from mixtures of Gaussians, one for the pose and one for the content, False
            from the prior N(0, I). The mixtures are fitted to the latents of `samples` (`LatentMixture.fit`),
            or without `samples` they are those that the run holds (`fit_latents`). By default mixtures are
            used if there are any.
        features: the reader of features for the second kind of distance.

    Returns the images, also as uint8 arrays (`Sampled.rgb`), their hands (`Sampled.hands`), and what was
    drawn (`Sampled.about`).
    Raises HandsError for a run that decodes no images, for a count or a seed out of range, and if there are
    neither images nor mixtures of the run to draw fitted latents from.

    >>> drawn = lh.sample_images("synthesis", count=2, seed=1)
    >>> [image.shape for image in drawn.rgb]
    [(128, 128, 3), (128, 128, 3)]
    >>> drawn.hands[0].uv_px.shape, drawn.hands[0].xyz_mm.shape
    ((21, 2), (21, 3))
    """
    check_whole(count=count, seed=seed)
    if not 1 <= count <= MOST_SAMPLES:
        raise HandsError(f"count is {count}; it must be between 1 and {MOST_SAMPLES}")
    if seed < 0:
        raise HandsError(f"seed is {seed}; it must be 0 or more")
    model, samples = as_model(run), listed(samples)
    roles = roles_of(model)
    given = encode(model, samples) if samples else None
    known = {role: given.of(sizes) for role, sizes in roles.items()} if given else {}
    mixtures, images = find_mixtures(model, known, fitted)
    latent: Latent = {}
    about: dict[str, Any] = {"count": count, "seed": seed, "given_images": len(samples)}
    for number, (role, sizes) in enumerate(roles.items()):
        chosen = mixtures.get(role) or LatentMixture.prior(sizes)
        latent |= chosen.draw([np.random.default_rng([seed, number, i]) for i in range(count)])
        about[role] = {"from": "fitted" if mixtures else "prior", "numbers": sum(sizes.values())}
        about[role] |= {"components": len(chosen.components), "images": images} if mixtures else {}
        nats = LatentGaussian.aggregate(known[role]).nats() if known else None
        about[role] |= {} if nats is None else {"nats_from_prior": round(nats, 2)}
    subject = Subject(model.vae, model.device)
    left = torch.zeros(count, dtype=torch.bool)
    decoded = subject.decode("rgb", latent, left).clamp(-1, 1)
    described = {name: subject.decode(name, latent, left) for name in DECODED if name in model.vae.writes}
    hands = decoded_hands(model, described)
    if given is None:
        return Sampled(decoded, hands, about, {})
    found = _nearest(decoded, given, features)
    about["nearest"] = {kind: each.to_json(given.names) for kind, each in found.items()}
    near = {kind: to_images(given.rgb[each.index]) for kind, each in found.items()}
    return Sampled(decoded, hands, about, near)


def _nearest(images: Tensor, given: Encoded, features: FeatureReader | None) -> dict[str, Nearest]:
    found = {"pixels": nearest(pixel_vectors(images), pixel_vectors(given.rgb), given.block)}
    if features is not None:
        found["features"] = nearest(features.read(images), features.read(given.rgb), given.block)
    return found


def sheet(sampled: Sampled) -> ImageArray:
    """Draw all samples, each beside its nearest given images."""
    images = to_images(sampled.images)
    if not sampled.near:
        return draw.contact_sheet(images, cell_px=CELL_PX)
    cells = [list(row) for row in zip(images, *sampled.near.values(), strict=True)]
    headings = ["sample", *(f"nearest\nin {kind}" for kind in sampled.near)]
    rows = -(-len(cells) // GROUPS)
    blank: list[ImageArray | None] = [None] * len(headings)
    columns = [cells[i * rows : (i + 1) * rows] for i in range(GROUPS)]
    drawn = [
        draw.grid([*column, *[blank] * (rows - len(column))], headings, cell_px=CELL_PX, lead=(0, 1))
        for column in columns
        if column
    ]
    return np.concatenate(drawn, axis=1)


def write_samples(folder: Path, sampled: Sampled, about: dict[str, Any]) -> None:
    """Write images/NUMBER.png, sheet.png and samples.json into a folder."""
    for number, image in enumerate(to_images(sampled.images)):
        draw.save_image(image, folder / "images" / f"{number:05d}.png")
    draw.save_image(sheet(sampled), folder / "sheet.png")
    write_text(folder / "samples.json", json.dumps(about | sampled.about, indent=2) + "\n")
