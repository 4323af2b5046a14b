"""Compare random poses: from the prior, from mixtures of Gaussians, and from labels.

python benchmarks/random_latents.py RUN ROOT

RUN makes images, ROOT is a rendered set. Of each kind, 100 images are decoded and read again by the run.
"""

import sys

import numpy as np
import torch

from latent_hands.data import open_data
from latent_hands.hand import geometry
from latent_hands.paper.latent import Latent, means
from latent_hands.pixels import from_bytes, to_bytes
from latent_hands.predictor import Model
from latent_hands.predictor.hand import ASSUMED_BONE_MM
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.gallery import labelled_pose
from latent_hands.studies.sampling.encoded import encode
from latent_hands.studies.sampling.mixture import LatentMixture

GIVEN, MADE = 2000, 100


def median_mm(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the median over poses of the mean distance of their joints."""
    return float(ASSUMED_BONE_MM * (a - b).norm(dim=-1).mean(dim=-1).median())


def main(run: str, root: str) -> None:
    """Print medians of the distance of reread poses, and of the nearest given pose."""
    model = Model.load(run)
    subject, left = Subject(model.vae, model.device), torch.zeros(MADE, dtype=torch.bool)
    samples = open_data("rendered", root, "training", GIVEN + MADE)
    points = torch.from_numpy(np.stack([labelled_pose(sample) for sample in samples])).float()
    poses = geometry.normalise(points)[0]
    cpose, viewpoint = geometry.canonicalise(poses)
    batch = {"pose": poses, "cpose": cpose, "viewpoint": viewpoint}
    q = subject.posterior(subject.pose, batch)
    known = {f: type(each)(each.mean[:GIVEN], each.log_var[:GIVEN]) for f, each in q.items()}
    contents = encode(model, open_data("rendered", root, "evaluation", MADE))
    content = means(contents.of(subject.content))
    rngs = [np.random.default_rng([1, i]) for i in range(MADE)]
    sizes = {factor: model.vae.latent[factor] for factor in subject.pose}
    drawn: dict[str, Latent] = {"prior": LatentMixture.prior(sizes).draw(rngs)}
    drawn |= {f"{k} Gaussians": LatentMixture.fit(known, k).draw(rngs) for k in (1, 10, 40)}
    drawn["labels"] = {factor: z[GIVEN:] for factor, z in means(q).items()}
    for name, latent in drawn.items():
        rgb = from_bytes(to_bytes(subject.decode("rgb", latent | content, left)))
        asked, _ = geometry.normalise(subject.decode("pose", latent | content, left))
        nearest = torch.cdist(asked.flatten(1), poses[:GIVEN].flatten(1)).argmin(dim=1)
        reread, near = median_mm(subject.own_pose(rgb, left), asked), median_mm(poses[nearest], asked)
        print(f"{name}: reread {reread:.1f} mm, nearest given pose {near:.1f} mm")


if __name__ == "__main__":
    main(*sys.argv[1:])
