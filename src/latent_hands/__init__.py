"""Latent Hands: disentangled variational autoencoders of hands (Yang & Yao, CVPR 2019).

Write `import latent_hands as lh`. `help(lh.NAME)` explains each name:

    estimate       load, models, live, Model, Hand, OrderedJoints, HandCrop, Live, Followed, Tracker,
                   JOINTS, reorder
    files          write_hands, read_hands, draw_hands, read_boxes, ImageHands, BoxLabel
    mesh           hand_mesh, joint_angles, with_angles, HandMesh
    synthesise     Model.synthesise, .transfer, .swap, .walk, .rotate, .crop_of; Synthesis, Walk;
                   sample_images, Sampled, synthesise_set, fit_latents, LatentMixture
    latents        Model.latent, .infer, .synthesis_of, .decode, .outputs; disentanglement_scores
    data           Sample, open_data, data_sets, check, Report, export_data, Exported, render, Variety
    train          experiment, experiments, train, fine_tune, Experiment, TuningScores
    evaluate       evaluate, Scores, disentanglement_scores, render_counterfactual, read_counterfactual,
                   Counterfactuals
    export         export_model, Model.save, latent_hands.lite
    extend         extend
    errors         HandsError: one line that says what is wrong, what is legal, and what to do

The examples below run one after the other in an empty folder. They need the extra `render`
(pip install "latent-hands[render]"), because they begin with rendered hands:

>>> import latent_hands as lh
>>> folder = lh.render("hands", count=8, size_px=64, evaluation_count=2, workers=1, progress=False)
>>> samples = lh.open_data("rendered", "hands")


Estimate
--------
A model predicts the 3D poses of the hands in an image: 21 joints each. An image is a file, a Pillow image, a
uint8 array (height, width, 3) in RGB order, or a uint8 tensor of torch (3, height, width). Of an image of
OpenCV, which is in BGR order, give `image[..., ::-1]`.

>>> lh.models()["estimation"]
'3D pose of a hand and its 21 joints in the image, from a crop of an RGB image.'
>>> model = lh.load("estimation")
>>> photo = samples[0].image
>>> boxes = [(8, 8, 40, 40), (30, 8, 40, 40)]              # without boxes, all hands are found
>>> hands = model.find(photo, boxes=boxes, bone_mm=40.0)
>>> hand = hands[0]
>>> hand.uv_px.shape                                       # pixels in the image
(21, 2)
>>> hand.xyz_mm.shape                                      # millimetres, relative to the palm
(21, 3)
>>> hand.camera_xyz_mm.shape                               # millimetres, in the camera frame
(21, 3)
>>> tip_mm = hand.xyz_mm[hand.joint_names.index("index_tip")]
>>> hand.in_order("mediapipe").uv_px.shape                 # the wrist first, fingers from base to tip
(21, 2)
>>> overlay = lh.draw_hands(photo, hands)                  # uint8 (height, width, 3), as large as the photo
>>> table = lh.write_hands("hands.csv", {photo: hands})    # also .json, .jsonl, .npz, a COCO folder

`estimate` returns one hand. A sample gives its box, bone length, camera and handedness:

>>> hand = model.estimate(samples[0], rotations=4, draws=8)
>>> hand.spread_mm.shape                                   # error bars, with draws
(21,)

`video = model.follow("clip.mp4")` and `for hands in video` follow the hands of a video; `video.frame.rgb` is
the image of the last hands. `for hands in lh.live(0)` follows those in front of a camera. In a loop of your
own, `tracker = model.tracker()` and `tracker.track(frame)` do the same. `lh.load("hf-hub:owner/name")` loads
a run that others published.

A skinned mesh and named joint angles are fitted to a hand:

>>> lh.hand_mesh(hand).vertices_mm.shape                   # the CC0 mesh
(6841, 3)
>>> "index_pip_flexion" in lh.joint_angles(hand)           # degrees
True


Synthesise
----------
Another model generates images of left hands: the pose from one source, the content (scene) from another. A
source is an image, a sample, a hand, or an array of joints (21, 3). For a photograph give
`synthesis.crop_of(image, hand)`, with a hand that `estimation` found in it. An image by itself must be the
crop of a left hand, in the size that the model reads.

>>> synthesis = lh.load("synthesis")
>>> image = synthesis.synthesise(pose=hand, content=samples[4])
>>> image.shape
(128, 128, 3)
>>> grid = synthesis.transfer(poses=samples[:2], contents=samples[4:6])    # all pairs
>>> swapped = synthesis.swap(samples[0], samples[4], "content")            # an image and a hand
>>> walk = synthesis.walk("pose", start=samples[0], end=samples[4], steps=5)
>>> len(walk.images), len(walk.hands)
(5, 5)
>>> z = synthesis.latent(samples[0], ["pose", "content"])                  # a tensor by factor
>>> z["content"][:, 0] += 2.0
>>> edited = synthesis.synthesis_of(z)                                     # an image and a hand
>>> random = lh.sample_images(synthesis, count=3, seed=1)                  # random poses and scenes
>>> random.rgb[0].shape
(128, 128, 3)
>>> random.hands[0].uv_px.shape                                            # its joints: labels of the image
(21, 2)


Your own data
-------------
A data set is a list of `Sample`: an image and its labels, any of which may be missing. `open_data` reads the
data sets that `data_sets()` names. `check` examines labels before anything is trained or scored on them.

>>> mine = [lh.Sample(s.name, s.image, s.handedness, s.xyz_mm, K=s.K).projected() for s in samples]
>>> report = lh.check(mine)
>>> exported = lh.export_data("rendered", "hands", "hands_coco", layout="coco")


Train
-----
An experiment contains everything that decides a training. `experiments()` names those of the package.

>>> short = {"epochs": 1, "batch_size": 4}
>>> tiny = lh.experiment(
...     "demo_estimation",
...     data={"crop_px": 32, "window_px": 32, "margin": 1.0},
...     networks={"width": 4, "hidden": 16},
...     phases={"disentangle": short, "embed_pose": short, "embed_rgb": short},
... )
>>> trained = lh.train(tiny, "runs/tiny", samples=mine)
>>> saved = trained.save("runs/copy")

`fine_tune` continues a model on a few labelled hands, 2D or 3D, and scores it on held-out people:
`lh.fine_tune("estimation", lh.open_data("table", "mine"), "runs/tuned")`.


Evaluate
--------
`evaluate` returns scores with 95 % intervals, by the protocols of the papers: see `help(lh.Scores)`.

>>> scores = lh.evaluate("runs/tiny", mine)
>>> scores = lh.evaluate("estimation", "rendered", "hands", rotations=2)
>>> scores["samples"]
2


Extend
------
Another package or script can add data sets, modalities, networks, objectives and more, without changes to
this one: see `help(lh.extend)`. A factor needs no code, only a line in an experiment.

The command `latent-hands` has commands of similar names, and some that have no function in Python:
`latent-hands --help`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.other_words import MODULE, missing

if TYPE_CHECKING:
    from latent_hands import extend
    from latent_hands.animation import HandMesh, hand_mesh, joint_angles, with_angles
    from latent_hands.api import (
        check,
        data_sets,
        evaluate,
        experiment,
        experiments,
        live,
        load,
        models,
        open_data,
        train,
    )
    from latent_hands.configuration import Experiment
    from latent_hands.data import Sample, read_counterfactual
    from latent_hands.data.export import Exported, export_data
    from latent_hands.data.formats.box_label import BoxLabel
    from latent_hands.data.formats.boxes import read_boxes
    from latent_hands.data.readers.counterfactual import Counterfactuals
    from latent_hands.doctor import Report
    from latent_hands.evaluation.scores import Scores
    from latent_hands.hand.skeleton import JOINTS, reorder
    from latent_hands.portable import export_model
    from latent_hands.predictions import ImageHands, draw_hands, read_hands, write_hands
    from latent_hands.predictor import Hand, HandCrop, Model, OrderedJoints, Synthesis, Walk
    from latent_hands.predictor.following import Followed, Tracker
    from latent_hands.rendering.sets.counterfactual_set import render_counterfactual
    from latent_hands.rendering.sets.dataset import render_dataset as render
    from latent_hands.rendering.variety import Variety
    from latent_hands.streaming import Live
    from latent_hands.studies.disentanglement import disentanglement_scores
    from latent_hands.studies.fine_tuning import fine_tune
    from latent_hands.studies.gain import TuningScores
    from latent_hands.studies.sampling.making import synthesise_set
    from latent_hands.studies.sampling.mixture import LatentMixture
    from latent_hands.studies.sampling.own_latents import fit_latents
    from latent_hands.studies.sampling.sampled import Sampled, sample_images

__version__: str
__all__ = [
    "JOINTS",
    "BoxLabel",
    "Counterfactuals",
    "Experiment",
    "Exported",
    "Followed",
    "Hand",
    "HandCrop",
    "HandMesh",
    "HandsError",
    "ImageHands",
    "LatentMixture",
    "Live",
    "Model",
    "OrderedJoints",
    "Report",
    "Sample",
    "Sampled",
    "Scores",
    "Synthesis",
    "Tracker",
    "TuningScores",
    "Variety",
    "Walk",
    "__version__",
    "check",
    "data_sets",
    "disentanglement_scores",
    "draw_hands",
    "evaluate",
    "experiment",
    "experiments",
    "export_data",
    "export_model",
    "extend",
    "fine_tune",
    "fit_latents",
    "hand_mesh",
    "joint_angles",
    "live",
    "load",
    "models",
    "open_data",
    "read_boxes",
    "read_counterfactual",
    "read_hands",
    "render",
    "render_counterfactual",
    "reorder",
    "sample_images",
    "synthesise_set",
    "train",
    "with_angles",
    "write_hands",
]
_HOMES = {
    "Experiment": "configuration.Experiment",
    "Sample": "data.Sample",
    "BoxLabel": "data.formats.box_label.BoxLabel",
    "Counterfactuals": "data.readers.counterfactual.Counterfactuals",
    "Exported": "data.export.Exported",
    "Followed": "predictor.following.Followed",
    "LatentMixture": "studies.sampling.mixture.LatentMixture",
    "Live": "streaming.Live",
    "Report": "doctor.Report",
    "Sampled": "studies.sampling.sampled.Sampled",
    "Scores": "evaluation.scores.Scores",
    "Tracker": "predictor.following.Tracker",
    "TuningScores": "studies.gain.TuningScores",
    "Variety": "rendering.variety.Variety",
    "disentanglement_scores": "studies.disentanglement.disentanglement_scores",
    "export_data": "data.export.export_data",
    "export_model": "portable.export_model",
    "fine_tune": "studies.fine_tuning.fine_tune",
    "fit_latents": "studies.sampling.own_latents.fit_latents",
    "sample_images": "studies.sampling.sampled.sample_images",
    "synthesise_set": "studies.sampling.making.synthesise_set",
    "read_boxes": "data.formats.boxes.read_boxes",
    "read_counterfactual": "data.read_counterfactual",
    "render": "rendering.sets.dataset.render_dataset",
    "render_counterfactual": "rendering.sets.counterfactual_set.render_counterfactual",
    **{name: f"hand.skeleton.{name}" for name in ("JOINTS", "reorder")},
    **{name: f"predictions.{name}" for name in ("ImageHands", "draw_hands", "read_hands", "write_hands")},
    **{name: f"animation.{name}" for name in ("HandMesh", "hand_mesh", "joint_angles", "with_angles")},
    **{
        name: f"predictor.{name}"
        for name in ("Hand", "Model", "OrderedJoints", "HandCrop", "Synthesis", "Walk")
    },
}
"""The modules of the names that are not in `api`."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import latent_hands` does not load torch."""
    if name in MODULE:
        raise missing(f"module {__name__!r}", name, MODULE)
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}; {did_you_mean(name, __all__)}"
        raise AttributeError(message, name=name)
    if name == "__version__":
        from importlib.metadata import version

        return version("latent-hands")
    if name == "extend":
        return import_module("latent_hands.extend")
    module, _, attribute = _HOMES.get(name, f"api.{name}").rpartition(".")
    value = getattr(import_module(f"latent_hands.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, without what this module imports."""
    return __all__
