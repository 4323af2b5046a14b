"""From the request for a synthesised set to its plan, and to its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.data.prepare import source_digest
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.predictor import Model
from latent_hands.progress import Progress
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import encode
from latent_hands.studies.sampling.own_latents import own_latents
from latent_hands.studies.sampling.sources import find_source
from latent_hands.studies.sampling.synthetic_set import SynthesisPlan


@dataclass(frozen=True)
class Request:
    """The settings of a synthesised set.

    count, evaluation_count: numbers of training and evaluation images.
    seed: the seed of poses and contents.
    poses_per_scene: number of images that share a content.
    max_reread_mm: largest distance of a reread pose from the asked one (`SynthesisPlan`).
    poses, contents: their sources (`sources.find_source`). None stands for labels, and for tags where the
        samples and the run have them, otherwise images. Without samples it stands for poses of the renderer,
        and for contents of the run's own mixture, or of the prior if the run holds none.
    """

    count: int
    evaluation_count: int = 0
    seed: int = 0
    poses_per_scene: int = 4
    max_reread_mm: float = 25.0
    poses: str | None = None
    contents: str | None = None


def make_set(
    out: Path,
    model: Model,
    request: Request,
    samples: Sequence[Sample],
    about: dict[str, Any],
    progress: Progress | bool = True,
) -> Path:
    """Write a labelled set of synthesised hands (`synthetic_set`), and return its folder.

    A stopped call continues with the same arguments. The same arguments give the same files on the same
    machine. `about` is stated in rendered.json, with the digest of `samples`.

    Raises HandsError for a run that decodes no images, a setting out of range, a source that needs other
    samples, a run that does not reread its poses, and as `write_set` does.
    """
    tagged = bool(samples) and all(s.tag is not None for s in samples) and _reads_tags(model)
    poses = request.poses or ("labels" if samples else "renderer")
    contents = request.contents or _contents(model, bool(samples), tagged)
    if contents == "tags" and not tagged:
        raise HandsError(
            "contents are to be read from tags, but the samples or the run have none: use images"
        )
    given = encode(model, samples, tags=contents != "images") if samples else None
    digest = {"data_digest": source_digest(samples)[:16], "data_count": len(samples)} if samples else {}
    stated = {name: value for name, value in (about | digest).items() if value is not None}
    plan = SynthesisPlan(
        count=request.count,
        evaluation_count=request.evaluation_count,
        seed=request.seed,
        size_px=model.crop_px,
        scene_size=(1.0, 1.0),
        defocus=None,
        joints=model.experiment.data.convention,
        factor_tags=False,
        model=model,
        poses=find_source(poses, "pose", model, given),
        contents=find_source(contents, "content", model, given),
        about=stated | {"poses": poses, "contents": contents},
        poses_per_scene=request.poses_per_scene,
        max_reread_mm=request.max_reread_mm,
    )
    plan.check()
    return write_set(out, plan, workers=1, progress=progress)


def _contents(model: Model, given: bool, tagged: bool) -> str:
    """Return the source of contents that is not stated."""
    if given:
        return "tags" if tagged else "images"
    return "fitted" if own_latents(model)[0] else "prior"


def _reads_tags(model: Model) -> bool:
    return bool(Subject(model.vae, model.device).tags())
