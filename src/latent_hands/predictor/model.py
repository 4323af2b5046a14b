"""Model: a trained run that predicts hands from images, and images from poses and contents."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.data.sample import Sample
from latent_hands.detection import Detector
from latent_hands.errors import HandsError
from latent_hands.predictor.cameras import ImageCamera, camera_of_image
from latent_hands.predictor.candidates import detected_candidates, given_candidates
from latent_hands.predictor.checks import ImageSource, opened
from latent_hands.predictor.convention import in_convention
from latent_hands.predictor.devices import find_device
from latent_hands.predictor.find import HandDetector, find_hands, hand_of
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.reading import Reading, mirrored
from latent_hands.predictor.recombination import Recombination
from latent_hands.predictor.sources import as_crop
from latent_hands.runs.folder import find_run, load_run, write_run
from latent_hands.runs.hub import pinned, short_name

if TYPE_CHECKING:
    from latent_hands.predictor.following import Tracker

DRAWS = 16
"""Number of draws from q(z | image) in a search."""
STEPS = {
    *("decoded_of", "fast", "hands_at", "hands_of", "predict_images", "predict_crop", "predict_windows"),
    *("right_of", "rules"),
}
"""Attributes of a model that only this package calls."""


def as_model(run: "Model | str | Path") -> "Model":
    """Return a model as it is, or load a run. Raises HandsError as `Model.load` does."""
    return run if isinstance(run, Model) else Model.load(run)


class Model(Recombination):
    """A trained run.

    `load` opens one. `find` finds the hands in an image, `follow` those in a video, `tracker` those in a loop
    of your own, `estimate` predicts one hand. `synthesise`, `transfer`, `swap`, `walk` and `rotate` decode
    images and hands from recombined factors. `save` writes a run folder.

    Attributes:
        run: the run that was loaded, with its commit if it is on the Hugging Face Hub.
        folder: the folder that it was loaded from.
    """

    run: str | None = None
    folder: Path | None = None

    @classmethod
    def load(cls, run: str | Path, device: str | torch.device | None = None) -> "Model":
        """Load a run folder, a shipped model by name, or a run on the Hugging Face Hub.

        The default device is a GPU if there is one.

        Raises HandsError if there is no such run, and for a device that is unknown or absent.
        """
        found = find_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        vae, experiment = load_run(run)
        model = cls(vae, experiment, found)
        model.run, model.folder = pinned(run), find_run(run)
        return model

    def __dir__(self) -> list[str]:
        """Return the names for users: completion does not list the steps of a prediction."""
        return sorted({*super().__dir__()} - STEPS)

    def __repr__(self) -> str:
        """Return one line: the run, and the arrows of the graph."""
        factors = ", ".join(self.vae.latent)
        reads, writes = ", ".join(self.vae.reads), ", ".join(self.vae.writes)
        return f"Model({self.run!r}: {reads} -> z = [{factors}] -> {writes})"

    def save(self, path: str | Path) -> Path:
        """Write a run folder that `load` reads, and return its path.

        Raises HandsError if the folder exists and is not empty, or cannot be written.
        """
        about = {} if self.run is None else {"exported_from": short_name(self.run)}
        return write_run(path, self.experiment, self.vae.state_dict(), about)

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
            convention: the joint convention of the hands, and of `bone_mm`; by default that of the model's
                training (`in_convention`).

        Returns the hands by falling score, or in the order of `boxes`. The list is empty if there is no hand.
        Raises HandsError for an image or a value that is not valid, as `HandCrop.open` does.

        >>> for hand in model.find(photo, bone_mm=40.0):
        ...     print(hand.handedness, hand.xyz_mm.shape, hand.uv_px.shape)
        left (21, 3) (21, 2)
        """
        if max_hands < 1:
            raise HandsError(f"max_hands is {max_hands}, but must be 1 or more hands")
        image = opened(image)
        rgb = image.rgb
        camera = camera_of_image(image, rgb.shape[:2], K, focal_px)
        if boxes is None:
            candidates = detected_candidates(
                self.detector.detect(rgb)[:max_hands], handedness, self.experiment.presence
            )
        else:
            candidates = given_candidates(boxes, handedness, rgb)
        hands = find_hands(self, rgb, camera, candidates, bone_mm, rotations, draws)
        return [in_convention(hand, convention, bone_mm) for hand in hands] if convention else hands

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
                draws 16 or more, because it needs them to name the side.

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

    def follow(
        self,
        frames: str | Path | Iterable[ImageSource],
        *,
        fps: float = 30.0,
        seconds: Iterable[float | None] = (),
        handedness: str | None = None,
        bone_mm: float | None = None,
        K: np.ndarray | None = None,
        focal_px: float | None = None,
        smooth: str = "online",
        max_hands: int = 2,
    ) -> Iterator[list[Hand]]:
        """Follow hands through the frames of a video.

        The crop of a hand follows the joints of the last frame. Hands are detected in the first frame, in
        every tenth frame, and when a hand was lost. The side of a hand is decided over several frames.

        Args:
            frames: a video file (the extra "video"), or images in the order of time, each as for `find`.
                Where their size changes, all tracks end.
            fps: frames per second, for frames whose time is not known.
            seconds: the time of each image in seconds, increasing; None where it is not known. The times of a
                video file come from the file.
            handedness, bone_mm, K, focal_px: as in `find`, for all hands and frames. A given camera is that
                of the first frame, and is resized with later frames of another size.
            smooth: "online" filters with the frames so far, "offline" smooths with all frames. It yields
                nothing before the last frame was read. "none" gives the prediction of each frame alone.
            max_hands: largest number of hands at a time.

        Yields the hands of each frame; the list is empty if there is no hand. `Hand.track` is the number of
        the hand in the video. A lost hand keeps it if the hand is found nearby within half a second.
        `Hand.seconds` is the time of the frame.
        Raises HandsError for an image, a video or a value that is not valid, and for a frame of
        another shape than the first one if a camera is given. Hands of frames before an error are yielded.

        >>> for hands in model.follow([photo, photo, photo], fps=30.0):
        ...     print([hand.track for hand in hands])
        [1]
        [1]
        [1]
        """
        from latent_hands.predictor.following import checked_settings, follow  # imports scipy

        settings = checked_settings(handedness, bone_mm, K, focal_px, max_hands, smooth, fps)
        return follow(self, self.detector, frames, settings, seconds, fps, smooth)

    def tracker(
        self,
        *,
        fps: float = 30.0,
        handedness: str | None = None,
        bone_mm: float | None = None,
        K: np.ndarray | None = None,
        focal_px: float | None = None,
        smooth: str = "online",
        max_hands: int = 2,
    ) -> "Tracker":
        """Return a tracker for a loop of your own: `hands = tracker.track(frame, seconds)`.

        Arguments and errors are those of `follow`, except that `smooth` is "online" or "none".

        >>> tracker = model.tracker(bone_mm=36.0)
        >>> [len(tracker.track(frame)) for frame in (photo, photo)]
        [1, 1]
        """
        from latent_hands.predictor.follower import Follower
        from latent_hands.predictor.following import Tracker, checked_settings  # imports scipy

        settings = checked_settings(handedness, bone_mm, K, focal_px, max_hands, smooth, fps)
        return Tracker(self, Follower(self, self.detector, settings), fps, smooth)

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
