"""Estimation: a trained graph that finds hands in images."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.data.sample import Sample
from latent_hands.detection import Detector
from latent_hands.detection.zoom import check_no_zoom, check_zoom, detect_enlarged
from latent_hands.errors import HandsError, check_whole
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor.cameras import ImageCamera, camera_of_image
from latent_hands.predictor.candidates import detected_candidates, given_candidates
from latent_hands.predictor.checks import ImageSource, opened
from latent_hands.predictor.convention import in_convention
from latent_hands.predictor.find import HandDetector, find_hands, hand_of
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.intended_use import announce_use
from latent_hands.predictor.reading import Reading, mirrored
from latent_hands.predictor.recombination import Recombination
from latent_hands.predictor.sources import as_crop

DRAWS = 16
"""Number of draws from q(z | image) in a search."""


class Estimation(Recombination):
    """A trained graph that finds hands in images: `find` finds all of them, `estimate` predicts one."""

    @cached_property
    def detector(self) -> HandDetector:
        """The detector that finds hands in whole images: the shipped one, unless another one is set.

        >>> model.detector = model.load_detector("detection")
        """
        return self.load_detector("detection")

    def load_detector(self, name_or_path: str | Path) -> Detector:
        """Load a detector for this model: a shipped one by name, or the folder of one.

        Where the model has a rule of presence, the detector also returns improbable hands
        (`Presence.least_score`), because the rule decides about them.

        Raises HandsError as `Detector.load` does.
        """
        detector, rule = Detector.load(name_or_path, self.device), self.experiment.presence
        return detector.with_least_score(rule.least_score) if rule else detector

    def find(
        self,
        image: ImageSource,
        *,
        boxes: Sequence[Sequence[float] | BoxLabel] | None = None,
        handedness: str | Sequence[str | None] | None = None,
        bone_mm: float | None = None,
        K: np.ndarray | None = None,
        focal_px: float | None = None,
        rotations: int = 1,
        draws: int = DRAWS,
        max_hands: int = 8,
        zoom: int = 1,
        convention: str | None = None,
    ) -> list[Hand]:
        """Find the hands in an image: where they are, which sides they are of, and their 3D poses.

        Each hand is read in a square around its box, and again in a square around the joints that were found.
        Where the side is not certain, the hand is read as both sides, and the model decides.

        Args:
            image: a file, a Pillow image, a uint8 array (height, width, 3) in RGB order, or a uint8 tensor of
                torch (3, height, width). OpenCV has BGR order: give `image[..., ::-1]`.
            boxes: the boxes (x, y, width, height) of the hands, in pixels from the image's upper left corner:
                the smallest rectangle around the 21 joints, roughly; or what `lh.read_boxes` returns for an
                image. Without them, the detector finds the hands.
            handedness: "left" or "right" for all hands, or with `boxes` one for each, None where unknown. By
                default the side is found.
            bone_mm: length of the middle finger's bone between MCP (knuckle) and PIP, 15 to 80 mm. If it is
                not given, 40 mm is assumed.
            K: the camera (3, 3) in pixels. If no camera is given, it is read from the EXIF data of the image,
                or assumed (`Hand.camera`).
            focal_px: the focal length in pixels of the whole image, instead of K. The optical axis must be at
                the image's centre.
            rotations: number of rotated crops to average in the second reading.
            draws: number of hands to draw from q(z | image) for spreads, sides and confidence: 0, or 2 and
                more.
            max_hands: largest number of detected hands, those of the highest scores.
            zoom: 2 and 4 also search in parts of the image, enlarged by that factor, for small hands. That
                takes longer: 6 and 34 further searches in an image of 16:9.
            convention: the joint convention of the hands, and of `bone_mm`; by default that of the model's
                training (`in_convention`).

        Returns the hands by falling score, or in the order of `boxes`. The list is empty if there is no hand.
        Raises HandsError for an image or a value that is not valid, as `HandCrop.open` does.

        >>> for hand in model.find(photo, bone_mm=40.0):
        ...     print(hand.handedness, hand.xyz_mm.shape, hand.uv_px.shape)
        left (21, 3) (21, 2)
        """
        check_whole(max_hands=max_hands, rotations=rotations)
        if max_hands < 1:
            raise HandsError(f"max_hands is {max_hands}, but must be 1 or more hands")
        if convention is not None:
            CONVENTIONS.find(convention)
        announce_use(self.vae.writes)
        image = opened(image)
        rgb = image.rgb
        camera = camera_of_image(image, rgb.shape[:2], K, focal_px)
        if boxes is None:
            candidates = detected_candidates(
                detect_enlarged(self.detector.detect, rgb, check_zoom(zoom))[:max_hands],
                handedness,
                self.experiment.presence,
            )
        else:
            check_no_zoom(zoom)
            candidates = given_candidates(boxes, handedness, rgb)
        hands = find_hands(self, rgb, camera, candidates, bone_mm, rotations, draws)
        return hands if convention is None else [in_convention(hand, convention, bone_mm) for hand in hands]

    def estimate(
        self,
        image: HandCrop | Sample | ImageSource,
        *,
        box: Sequence[float] | None = None,
        handedness: str | None = None,
        bone_mm: float | None = None,
        K: np.ndarray | None = None,
        focal_px: float | None = None,
        rotations: int = 1,
        draws: int = 0,
    ) -> Hand:
        """Estimate one hand in an image: the hand of highest score, or the hand in a box.

        A `HandCrop` or a `Sample` contains all values: its crop is read as it is, once, without any search.
        That is the protocol of the papers.

        Args:
            image: an image as for `find`, a `HandCrop`, or a `Sample`.
            box: the box (x, y, width, height) of the hand, as in `find`. If it is not given, the detector
                finds the hand.
            handedness, bone_mm, K, focal_px, rotations: as in `find`.
            draws: number of hands to draw from q(z | image) for `Hand.spread_mm`: 0, or 2 and more. A search
                draws 16 or more, because their spread tells hands from other things.

        Raises HandsError if no hand is found, for an image or a value that is not valid (`HandCrop.open`),
        and if `rotations < 1`, `draws < 0` or `draws == 1`.

        >>> model.estimate(photo, box=(40, 37, 125, 155), handedness="left").handedness
        'left'
        """
        if isinstance(image, HandCrop | Sample):
            crop = self._crop(image, handedness, box, K, bone_mm, focal_px)
            return self._read_as_it_is(crop, rotations, draws)
        hands = self.find(
            image,
            boxes=None if box is None else [box],
            handedness=handedness,
            bone_mm=bone_mm,
            K=K,
            focal_px=focal_px,
            rotations=rotations,
            draws=draws or DRAWS,
        )
        if not hands:
            raise HandsError("no hand found in the image; give box=(x, y, width, height) if there is one")
        return hands[0]

    def _crop(
        self,
        image: HandCrop | Sample,
        handedness: str | None,
        box: Sequence[float] | None,
        K: np.ndarray | None,
        bone_mm: float | None,
        focal_px: float | None,
    ) -> HandCrop:
        given = {"handedness": handedness, "box": box, "K": K, "bone_mm": bone_mm, "focal_px": focal_px}
        for name, value in given.items():
            if value is not None:
                raise HandsError(
                    f"{name} is {value}, but a {type(image).__name__} brings its own: leave {name} out"
                )
        return as_crop(image, crop=self.experiment.data.crop)

    def _read_as_it_is(self, crop: HandCrop, rotations: int, draws: int) -> Hand:
        flip = crop.handedness == "right" and self.experiment.data.right_hands == "mirror"
        outputs = self.predict_crop(crop.mirrored() if flip else crop, rotations, draws)
        reading = Reading(crop, mirrored(outputs) if flip else outputs)
        return hand_of(self, reading, None if crop.K is None else ImageCamera(crop.K, "given"), None)
