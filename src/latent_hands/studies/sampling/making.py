"""From the request for a synthesised set to its plan, and to its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latent_hands.data.prepare import source_digest
from latent_hands.data.sample import Sample, listed
from latent_hands.errors import HandsError, as_path
from latent_hands.predictor import Model, as_model
from latent_hands.predictor.saved import saved_run
from latent_hands.progress import Progress, shown
from latent_hands.rendering.sets.set_writer import write_set
from latent_hands.runs.folder import weights_checksum
from latent_hands.runs.hub import pinned
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.sampling.encoded import encode
from latent_hands.studies.sampling.own_latents import own_latents
from latent_hands.studies.sampling.sources import find_source
from latent_hands.studies.sampling.synthetic_set import SynthesisPlan

UNSAMPLED = ("prior", "renderer")
"""Sources of poses and contents that use no images."""


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


def synthesise_set(
    out: str | Path,
    run: Model | str | Path = "synthesis",
    *,
    count: int = 1000,
    evaluation_count: int = 0,
    samples: Sequence[Sample] = (),
    poses: str | None = None,
    contents: str | None = None,
    poses_per_scene: int = 4,
    max_reread_mm: float = 25.0,
    seed: int = 0,
    progress: Progress | bool = False,
) -> Path:
    """Write a labelled data set of synthesised left hands, and return its folder.

    `lh.open_data("rendered", out)` reads it. The run reads each image again, and drops it if the joints that
    it reads differ too much from the requested ones. The same call continues an interrupted set.

    Args:
        out: the folder of the set.
        run: a model with a decoder of images, or what `lh.load` accepts.
        count: number of training images.
        evaluation_count: number of evaluation images.
        samples: labelled hands to take poses and contents from.
        poses: "labels" of `samples`, the default with `samples`; "renderer", the default without them;
            "fitted", from mixtures fitted to `samples` or held by the run; or "prior", N(0, I).
        contents: "tags" or "images" of `samples`; "fitted" or "prior", as for poses. The defaults are tags if
            `samples` and the run have them, images with other samples, and without samples "fitted" if the
            run holds mixtures.
        poses_per_scene: number of images that share a content.
        max_reread_mm: largest mean distance of reread joints from the requested ones, in mm, for a bone of
            40 mm.
        seed: seed of poses and contents.
        progress: True shows a progress bar; a function receives the progress.

    Raises HandsError for a run that decodes no images, a model that is not saved, a setting out of range, a
    source that needs other samples, and a run that does not reread its poses.

    >>> made = lh.synthesise_set("made", count=2, seed=1)
    >>> [sample.xyz_mm.shape for sample in lh.open_data("rendered", made)]
    [(21, 3), (21, 3)]
    """
    named = saved_run(run)
    request = Request(count, evaluation_count, seed, poses_per_scene, max_reread_mm, poses, contents)
    about = {"run": pinned(named), "weights": weights_checksum(named)}
    with shown(progress) as progress:
        return make_set(as_path(out, "out"), as_model(run), request, listed(samples), about, progress)


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
    if samples and poses in UNSAMPLED and contents in UNSAMPLED:
        raise HandsError(
            f'poses from "{poses}" and contents from "{contents}" use no image, but {len(samples)} are '
            "given: leave the data set out, or name other sources"
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
