"""LiteModel: an exported model that predicts hands from images, and images from factors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from latent_hands.configuration.rules import Confidence, Presence, SideRule
from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.detection.detection import Detection
from latent_hands.detection.zoom import check_no_zoom, check_zoom, detect_enlarged
from latent_hands.errors import HandsError, as_path, check_whole, did_you_mean
from latent_hands.hand.arrays import canonicalise, normalise, ray_rotation
from latent_hands.hand.conventions import read_recorded
from latent_hands.hand.skeleton import PALM
from latent_hands.lite.checksums import DESCRIPTION
from latent_hands.lite.detector import detect
from latent_hands.lite.folder import Networks
from latent_hands.lite.reading import LiteReader
from latent_hands.lite.values import from_bytes, to_bytes
from latent_hands.predictor.cameras import camera_of_image
from latent_hands.predictor.candidates import detected_candidates, given_candidates, read_candidates
from latent_hands.predictor.checks import ImageSource, Rgb, bone_of, check_crop, opened, pixels_of
from latent_hands.predictor.choosing import found_hands
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.in_memory import joints_of
from latent_hands.predictor.intended_use import announce_use
from latent_hands.predictor.judging import HandRules
from latent_hands.shapes import Float
from latent_hands.typed_toml import read

Latent = Mapping[str, Float[np.ndarray, "batch _"]]
Source = Hand | ImageSource
"""Source of factors: a hand, joints (21, 3) of a left hand, palm first, in any unit, or an image."""


def load(folder: str | Path, threads: int = 1, keep_memory: bool = True) -> "LiteModel":
    """Load a model that `latent-hands export-model` wrote.

    Args:
        folder: its folder.
        threads: number of threads that a network uses.
        keep_memory: whether working memory and the detector are kept for the next image. That is faster for
            many images. A process that reads one image needs less memory without it.

    Raises HandsError if there is no such model, if another version wrote it, if its description was changed,
    and without onnxruntime. `find` and `latent` raise it for a damaged network or one of another model.
    """
    return LiteModel(Networks(as_path(folder, "folder"), threads, keep_memory))


class LiteModel:
    """An exported model.

    `find` finds the hands in an image, as `Model.find` does. `latent`, `decode` and `synthesise` infer
    factors and decode images.

    Args:
        networks: the networks and their description.

    Raises HandsError for a description that is incomplete.
    """

    def __init__(self, networks: Networks):
        self.networks = networks
        about, where = networks.about, str(networks.folder / DESCRIPTION)
        try:
            rules = about["rules"]
            presence, confidence = rules["presence"], rules["confidence"]
            self.rules = HandRules(
                about["side_px"],
                about["frame"],
                read_recorded(about["convention"], where),
                read(SideRule, rules["handedness"], where, "handedness"),
                None if presence is None else read(Presence, presence, where, "presence"),
                None if confidence is None else read(Confidence, confidence, where, "confidence"),
            )
        except (KeyError, TypeError) as error:
            raise HandsError(f"{where} is incomplete: {error!r}; export the model again") from error

    def find(
        self,
        image: ImageSource,
        *,
        boxes: Sequence[Sequence[float] | BoxLabel] | None = None,
        handedness: str | Sequence[str | None] | None = None,
        bone_mm: float | None = None,
        K: np.ndarray | None = None,
        focal_px: float | None = None,
        max_hands: int = 8,
        zoom: int = 1,
    ) -> list[Hand]:
        """Find the hands in an image: where they are, which sides they are of, and their 3D poses.

        Arguments, results and errors are those of `Model.find` of `latent_hands.load`, with its 16 draws and
        without rotated crops. Raises HandsError, too, for a model that predicts no hands from images.
        """
        if self.networks.about["hands"] is None:
            raise HandsError(f"{self.networks.folder} holds a model that predicts no hands from images")
        announce_use({arrow["writes"] for arrow in self.networks.about["decoders"].values()})
        check_whole(max_hands=max_hands)
        if max_hands < 1:
            raise HandsError(f"max_hands is {max_hands}, but must be 1 or more hands")
        image, bone = opened(image), None if bone_mm is None else bone_of(bone_mm)
        rgb = image.rgb
        camera = camera_of_image(image, rgb.shape[:2], K, focal_px)
        if boxes is None:
            found = detect_enlarged(self._detect, rgb, check_zoom(zoom))[:max_hands]
            candidates = detected_candidates(found, handedness, self.rules.presence)
        else:
            check_no_zoom(zoom)
            candidates = given_candidates(boxes, handedness, rgb)
        reader = LiteReader(self.networks)
        readings = read_candidates(reader, self.rules, rgb, camera, candidates, bone)
        return found_hands(self.rules, candidates, readings, camera)

    def _detect(self, rgb: Rgb) -> list[Detection]:
        return detect(self.networks, rgb, self._least_score)

    @property
    def _least_score(self) -> float:
        """The smallest score of detections that are read: the rule of presence decides about them."""
        threshold = float(self.networks.about["detector"]["settings"]["threshold"])
        return threshold if self.rules.presence is None else min(self.rules.presence.least_score, threshold)

    def latent(self, source: Source, role: str, reads: str = "rgb") -> dict[str, np.ndarray]:
        """Return the posterior means of the factors of the pose or of the content, inferred from one source.

        Args:
            source: a hand, joints (21, 3), or an image: the crop of a left hand, in the size that
                the model reads.
            role: "pose" or "content".
            reads: the modality of an image: "rgb", "tag" or another one that the model reads.

        Raises HandsError for a model that writes no images, and if it cannot infer the factors.
        """
        sources = self.networks.about["sources"]
        if role not in sources:
            legal = did_you_mean(role, sources) if sources else "it writes no images"
            raise HandsError(f'this model has no factors of "{role}"; {legal}')
        given = self._observed(source, reads)
        kinds = (*given, "hand") if "pose" in given else tuple(given)
        read = next((key for key in kinds if key in sources[role]), None)
        if read is None:
            raise HandsError(
                f"this model does not infer the {role} from {' or '.join(given)}, but from "
                f"{' or '.join(sources[role])}"
            )
        chosen: Mapping[str, Sequence[str]] = sources[role][read]
        names = dict.fromkeys(name for names in chosen.values() for name in names)
        about, left = self.networks.about["encoders"], np.zeros(1, bool)
        inferred = {name: self.networks.encode(name, given[about[name]["reads"]], left) for name in names}
        return {f: np.mean([inferred[n][f][0] for n in names], axis=0) for f, names in chosen.items()}

    def decode(self, latent: Latent) -> dict[str, np.ndarray]:
        """Return what every decoder writes that reads only factors of a latent, as left hands, by modality.

        Of several decoders of a modality, the one with the most factors is used. Images are in [-1, 1].
        """
        count = len(next(iter(latent.values())))
        able = {
            name: arrow
            for name, arrow in self.networks.about["decoders"].items()
            if set(arrow["factors"]) <= set(latent)
        }
        order = sorted(able, key=lambda name: len(able[name]["factors"]))
        chosen = {able[name]["writes"]: name for name in order}
        left = np.zeros(count, bool)
        return {written: self.networks.decode(name, latent, left) for written, name in chosen.items()}

    def images(self, latent: Latent) -> list[Rgb]:
        """Return the images of a latent as uint8 arrays. Raises HandsError if no decoder writes them."""
        decoded = self.decode(latent)
        if "rgb" not in decoded:
            raise HandsError(f"this model decodes no image from {', '.join(latent)}")
        return to_bytes(decoded["rgb"])

    def synthesise(self, pose: Source, content: Source, content_reads: str = "rgb") -> Rgb:
        """Return the image of a left hand in the pose of one source and the scene of another.

        `content_reads` is "rgb" for an image of a hand, "tag" for a tag image. Raises HandsError as `latent`.
        """
        return self.images(self.latent(pose, "pose") | self.latent(content, "content", content_reads))[0]

    def _observed(self, source: Source, reads: str) -> dict[str, np.ndarray]:
        """Return a source as observed values of modalities, in a batch of one left hand."""
        if isinstance(source, Hand):
            own = self.rules.convention
            if source.convention != own:
                raise HandsError(
                    f'the joints of the hand have the convention "{source.convention}", but those of this '
                    f'model have "{own}"; estimate the hand with convention="{own}" of the full package'
                )
            return {name: array[None] for name, array in self._along_ray(source).as_left().items()}
        if (joints := joints_of(source)) is not None:
            pose = normalise(joints)
            cpose, viewpoint = canonicalise(pose)
            return {"pose": pose[None], "cpose": cpose[None], "viewpoint": viewpoint[None]}
        rgb = pixels_of(source)
        check_crop(rgb, self.rules.crop_px)
        return {reads: from_bytes(rgb[None])}

    def _along_ray(self, hand: Hand) -> Hand:
        """Return a hand in the frame of the ray through its crop, if the model predicts in that frame.

        The torch model places the palm of a crop "scene" by another joint convention, some millimetres away.
        """
        if self.rules.frame != "ray" or hand.frame == "ray" or hand.K is None:
            return hand
        x, y, side_px, _ = hand.crop_px
        centre_px = (x + (side_px - 1) / 2, y + (side_px - 1) / 2)
        if self.networks.about.get("crop_kind") == "scene":  # the square around the palm
            centre_px = (float(hand.uv_px[PALM, 0]), float(hand.uv_px[PALM, 1]))
        R = ray_rotation(hand.K, centre_px)
        return replace(hand, pose=hand.pose @ R, viewpoint=hand.viewpoint @ R, frame="ray")
