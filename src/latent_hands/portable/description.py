"""The description of an exported model: its networks, conventions and rules, as plain JSON.

`latent_hands.lite` and the page read this description and nothing else of the run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from latent_hands import synthesis
from latent_hands.data.labels import LABELS
from latent_hands.detection import Detector, letterbox, peaks
from latent_hands.detection.network import MULTIPLE, STRIDE
from latent_hands.errors import HandsError
from latent_hands.files import write_text
from latent_hands.hand import boxes
from latent_hands.hand.conventions import recorded
from latent_hands.lite.checksums import DESCRIPTION, checksum, sealed
from latent_hands.lite.folder import FORMAT
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian
from latent_hands.predictor import Model, candidates, choosing, crop
from latent_hands.predictor.cameras import FIELD_OF_VIEW_DEG, LONGEST_SHAPE
from latent_hands.predictor.estimation import DRAWS
from latent_hands.predictor.hand_factors import DECODED
from latent_hands.predictor.spreads import drawn
from latent_hands.runs.folder import find_run, weights_checksum
from latent_hands.typed_toml import to_table

DETECTOR = "detector.onnx"
LABELS_OF_HAND = ("pose", "cpose", "viewpoint")
"""What `latent_hands.lite` knows of a hand and of joints."""
READ_IMAGES = ("rgb", "tag", "identity_tag", "background_tag")
SEARCH = {
    "first_crop": boxes.FIRST_CROP,
    "room": boxes.ROOM,
    "least_side_px": boxes.LEAST_SIDE_PX,
    "most_change": crop.MOST_CHANGE,
    "scale_tolerance": crop.SCALE_TOLERANCE,
    "shift_tolerance": crop.SHIFT_TOLERANCE,
    "uncertain": candidates.UNCERTAIN,
    "same_iou": choosing.SAME_IOU,
    "same_side_iou": choosing.SAME_SIDE_IOU,
    "same_distance": choosing.SAME_DISTANCE,
    "opposite": choosing.OPPOSITE,
    "field_of_view_deg": FIELD_OF_VIEW_DEG,
    "longest_shape": LONGEST_SHAPE,
}
"""How crops are chosen, and which hands are the same."""
CONVENTIONS = {
    "images": "RGB; (batch, 3, side, side), rows from top to bottom; value = byte / 127.5 - 1, so -1 to 1",
    "crop": (
        "a square around the hand, resized with antialiasing to side_px; mid-grey (128) outside the image; "
        "the first one has 1.25 times the larger side of the box around the joints"
    ),
    "joints": (
        "21 in the order of RHD: palm, then thumb, index, middle, ring, little finger, each tip to base; the "
        " palm is the midpoint of the wrist and the middle finger's MCP: wrist = 2 palm - MCP"
    ),
    "unit": "lengths of the middle finger's bone between MCP and PIP; 40 mm where it is not known",
    "camera": "x right, y down, z forward; pixel centres are at integers",
    "rotations": "points are rows: pose = cpose @ viewpoint",
    "right_hands": (
        "mirror: the image of a right hand is mirrored before it is read, and its hand is mirrored back; "
        "condition: networks with the input right are given 1 for right hands and 0 for left ones"
    ),
    "frame": (
        "ray: poses have their z axis along the ray through the crop's centre; camera: along the optical axis"
    ),
    "latent": "q(z | image) is a Gaussian of each factor; encoders give its mean and its log-variance",
}


def describe(run: str | Path, model: Model, detector: Detector, half: bool) -> dict[str, Any]:
    """Return the description of the model of a run, which is exported with a detector.

    `half`: whether weights are stored in float16.

    Raises HandsError for a model that neither predicts hands from images nor writes images.
    """
    name, vae, data = find_run(run).resolve().name, model.vae, model.experiment.data
    hands, sources = _hands(model), _sources(vae)
    if hands is None and not sources:
        read = ", ".join(vae.reads)
        raise HandsError(
            f"{name} cannot be exported: it has no encoder of rgb for the factors of a pose, and no decoder "
            f"of rgb; its encoders read {read}"
        )
    used = {each for names in (hands or {}).get("encoders", {}).values() for each in names}
    used |= {n for kinds in sources.values() for of in kinds.values() for names in of.values() for n in names}
    return {
        "format": FORMAT,
        "name": name,
        "weights": {"sha256": weights_checksum(run), "type": "float16" if half else "float32"},
        "conventions": CONVENTIONS,
        "side_px": model.crop_px,
        "frame": data.frame,
        "crop_kind": data.crop,
        "right_hands": data.right_hands,
        "convention": recorded(data.convention),
        "latent": vae.latent,
        "encoders": {each: _encoder(model, each) for each in vae.encoders if each in used},
        "decoders": {each: _decoder(model, each) for each in vae.decoders},
        "detector": None if hands is None else _detector(detector),
        "hands": hands,
        "sources": sources,
        "rules": _rules(model),
        "search": SEARCH,
        "noise": {} if hands is None else _noise(vae.latent, hands["factors"]),
    }


def write_description(folder: Path, about: Mapping[str, Any]) -> None:
    """Write model.json beside the networks that it describes, with their checksums."""
    arrows = [*about["encoders"].values(), *about["decoders"].values(), about["detector"] or {}]
    files = [arrow["file"] for arrow in arrows if arrow]
    sums = {file: checksum((folder / file).read_bytes()) for file in files}
    write_text(folder / DESCRIPTION, json.dumps(sealed(about, sums), indent=1) + "\n")


def _encoder(model: Model, name: str) -> dict[str, Any]:
    arrow = model.vae.encoder(name)
    return {
        "file": f"encoder_{name}.onnx",
        "reads": arrow.reads,
        "unit": unit_of(arrow.reads),
        "shape": [size or model.crop_px for size in arrow.modality.shape],
        "factors": arrow.sizes,
        "sided": arrow.sided,
    }


def _decoder(model: Model, name: str) -> dict[str, Any]:
    arrow = model.vae.decoder(name)
    return {
        "file": f"decoder_{name}.onnx",
        "writes": arrow.writes,
        "unit": unit_of(arrow.writes),
        "shape": [size or model.crop_px for size in arrow.modality.shape],
        "factors": {factor: model.vae.latent[factor] for factor in arrow.factors},
        "sided": arrow.sided,
    }


def unit_of(modality: str) -> str:
    """Return the unit and frame of a modality, in words. Log-odds are those of 1."""
    if modality in READ_IMAGES:
        return "image: byte / 127.5 - 1"
    unit = getattr(LABELS.get(modality), "unit", "")
    return f"log-odds of: {unit}" if modality in ("side", "presence") else unit


def _detector(detector: Detector) -> dict[str, Any]:
    return {
        "file": DETECTOR,
        "multiple": MULTIPLE,
        "stride": STRIDE,
        "settings": to_table(detector.settings),
        "views": {
            "grey": letterbox.GREY,
            "widest": letterbox.WIDEST,
            "most_squares": letterbox.MOST_SQUARES,
        },
        "peaks": {
            "most": peaks.MOST_PEAKS,
            "least_logit": peaks.LEAST_LOGIT,
            "support_iou": peaks.SUPPORT_IOU,
            "size_limits": list(peaks.SIZE_LIMITS),
            "same_iou": peaks.SAME_IOU,
            "same_share": peaks.SAME_SHARE,
        },
    }


def _hands(model: Model) -> dict[str, Any] | None:
    """Return how hands are read from images; None if the model cannot do that."""
    try:
        factors = model.hand_factors()
        encoders = synthesis.encoders_of(model.vae, factors, ["rgb"])
    except HandsError:
        return None
    written = model.vae.writes
    able = [each for each in DECODED if each in written and set(model.factors_of(each)) <= set(factors)]
    return {
        "factors": list(factors),
        "pose_factors": list(model.factors_of("pose")),
        "encoders": encoders,
        "decoders": {each: synthesis.find_decoder(model.vae, each, factors) for each in able},
    }


def _sources(vae: DisentangledVAE) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the encoders of the factors of pose and content by the modality that they read.

    "hand" has the encoders of several labels of a hand, for a model that needs more than one of them. It is
    empty for a model that writes no images.
    """
    if "rgb" not in vae.writes:
        return {}
    roles = {"pose": synthesis.pose_factors(vae), "content": synthesis.content_factors(vae)}
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for role, factors in roles.items():
        for read, given in ({each: [each] for each in vae.reads} | {"hand": LABELS_OF_HAND}).items():
            if read == "hand" and found.get(role, {}).keys() & {*LABELS_OF_HAND}:
                continue
            try:
                found.setdefault(role, {})[read] = synthesis.encoders_of(vae, factors, given)
            except HandsError:  # no encoder infers them from these modalities alone
                continue
    return found


def _rules(model: Model) -> dict[str, Any]:
    """Return the rules of judgement, and the temperature of draws."""
    experiment = model.experiment
    return {
        "handedness": to_table(experiment.handedness),
        "presence": to_table(experiment.presence),
        "confidence": to_table(experiment.confidence),
        "temperature": experiment.sampling.temperature,
    }


def _noise(latent: Mapping[str, int], factors: list[str]) -> dict[str, Any]:
    """Return the noise of the draws of each factor, so that spreads are those of the torch model."""
    one = {f: Gaussian(torch.zeros(1, latent[f]), torch.zeros(1, latent[f])) for f in factors}
    return {f: [[float(f"{x:.9g}") for x in row] for row in z.tolist()] for f, z in drawn(one, DRAWS).items()}
