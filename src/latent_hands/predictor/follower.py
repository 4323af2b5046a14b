"""Follower: tracks over frames; crops from the last joints, detection when needed, sides over time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from latent_hands.detection import Detection
from latent_hands.detection.zoom import detect_enlarged
from latent_hands.hand.boxes import box_of_joints, crop_of_box, distance, iou
from latent_hands.predictor.cameras import ImageCamera, camera_of_image, resized_camera
from latent_hands.predictor.checks import ImageSource, Rgb, given_camera, opened
from latent_hands.predictor.find import HandDetector
from latent_hands.predictor.follow_settings import Settings
from latent_hands.predictor.hand import ASSUMED_BONE_MM, HANDEDNESS, Handedness, check_handedness
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.judging import confidence, is_hand, log_odds, probability_of, right_probability
from latent_hands.predictor.reading import Reading, read, read_twice
from latent_hands.predictor.tracks import Step, Track
from latent_hands.predictor.trained_graph import TrainedGraph

DRAWS = 16
EVERY = 10
"""Number of frames between two detections. Hands are also detected when a track was lost."""
UNSEEN = 2
"""A track ends after so many detections in a row that do not find it."""
SAME_IOU = 0.2
"""A detection belongs to a track if the intersection over union (IoU) of their boxes is larger."""
TWICE_IOU = 0.5
"""Largest IoU of the boxes of two hands; above it, the later one is dropped."""
SAME_HAND_IOU = 0.75
"""Above this IoU, two tracks follow one hand; the one that is nearer to its expected position is kept."""
LEAST_IOU = 0.25
"""A track is lost if the IoU of the box of its joints with the expected box is smaller.

Of 621 right readings in 8 rendered training sequences, the smallest overlap is 0.34, the largest spread 0.35,
and the largest disagreement 0.20. The limits leave room for photographs.
"""
MOST_SPREAD, MOST_DISAGREEMENT = 0.6, 0.4
"""A track is lost if the mean spread of its joints, or `Reading.disagreement`, is larger, in bone lengths."""
LEAST_CONFIDENCE = 0.25
"""A track is lost if the expected share of joints within 30 mm is smaller.

Of 1,023 rendered hands, 0.3 % of those whose joints are mostly right have less, and 19 % of the wrong ones.
"""
LEAST_SIDE_PX = 8.0
MOST_GAP_S, GAP_RATIO = 0.5, 3.0
"""Tracks end where the interval between two frames is longer, and more than so many times the one before it.

The interval after the first frame is no gap: the first call of a loop also loads the model. A model that is
slower than two frames a second still follows its hands. A lost track is continued within MOST_GAP_S only.
"""
REACH = 1.5
"""A detection continues a lost track if their centres are nearer than this, in sides of the larger box."""
SURE, READING_SHARE, DETECTION_SHARE = 4.0, 0.3, 0.5
"""Log-odds at which a side is certain, and the shares with which the evidence of a frame counts.

The shares are below 1, because neighbouring frames are alike.
"""
MOST_ODDS = 8.0
CHANGE_ODDS = 2.0
"""Log odds of the other side at which a track changes its side."""


@dataclass(eq=False)
class Follower:
    """Tracks that are continued frame by frame, without later frames.

    Args:
        graph: The model.
        detector: Finds hands in whole frames.
        settings: What is given.
    """

    graph: TrainedGraph
    detector: HandDetector
    settings: Settings
    tracks: list[Track] = field(default_factory=list)
    lost: list[Track] = field(default_factory=list)
    frames: int = 0
    count: int = 0
    detect_next: bool = True
    size_px: tuple[int, int] | None = None
    first_px: tuple[int, int] | None = None
    seconds: float | None = None
    interval: float = float("inf")

    def step(self, image: ImageSource, seconds: float) -> list[Step]:
        """Continue all tracks in the next frame, and return their steps in the order of their numbers."""
        image = opened(image)
        rgb = image.rgb
        camera = self._camera(image, (rgb.shape[0], rgb.shape[1]))
        if self._after_gap(seconds) or rgb.shape[:2] != self.size_px:
            self.tracks, self.lost, self.size_px, self.detect_next = [], [], rgb.shape[:2], True
        followed = self.tracks
        steps = self._continued(rgb, camera, seconds)
        self._lose(followed, seconds)
        if self.detect_next or len(self.tracks) < len(followed) or self.frames % EVERY == 0:
            steps += self._detected(rgb, camera, seconds)
            self._lose(followed, seconds)
            alive = {track.number for track in self.tracks}
            steps = sorted((each for each in steps if each.track in alive), key=lambda each: each.track)
        self.detect_next = not self.tracks or any(track.unseen for track in self.tracks)
        self.frames += 1
        return steps

    def _after_gap(self, seconds: float) -> bool:
        """Return whether frames are missing before this one: whether its interval is long and unusual."""
        before, self.seconds = self.seconds, seconds
        if before is None:
            return False
        usual, self.interval = self.interval, seconds - before
        return self.interval > max(MOST_GAP_S, GAP_RATIO * usual)

    def _camera(self, image: ImageSource, size_px: tuple[int, int]) -> ImageCamera:
        """Return the camera of a frame; one that is given follows the size of the frames."""
        self.first_px = self.first_px or size_px
        K = given_camera(self.settings.K, self.settings.focal_px, self.first_px)
        if K is not None and size_px != self.first_px:
            K = resized_camera(K, self.first_px, size_px)
        return camera_of_image(image, size_px, K)

    def _continued(self, rgb: Rgb, camera: ImageCamera, seconds: float) -> list[Step]:
        """Read all tracks at their expected places, and drop those that are lost."""
        crops = [
            HandCrop(rgb, side, track.expected_crop(seconds, rgb.shape[:2]), camera.K, self.settings.bone_mm)
            for track in self.tracks
            for side in self._sides(track)
        ]
        readings = iter(read(self.graph, crops, draws=DRAWS))
        steps, kept, overlaps = [], [], []
        for track in self.tracks:
            reading = self._chosen(track, {side: next(readings) for side in self._sides(track)})
            expected = box_of_joints(track.expected_uv_px(seconds).astype(np.float32))
            overlap = iou(reading.box_px, expected)
            if overlap >= LEAST_IOU and self._plausible(reading, track.score):
                kept.append(track)
                overlaps.append(overlap)
                steps.append(track.add(reading, seconds, camera))
        order = sorted(range(len(steps)), key=lambda i: -overlaps[i])
        apart = _apart([steps[i] for i in order])
        self.tracks = [track for track in kept if track.number in apart]
        return [step for step in steps if step.track in apart]

    def _detected(self, rgb: Rgb, camera: ImageCamera, seconds: float) -> list[Step]:
        """Detect hands: confirm tracks, and begin new ones where there is none."""
        searched = detect_enlarged(self.detector.detect, rgb, self.settings.zoom)
        found = sorted(searched, key=lambda each: (-each.score, each.box_px))
        unmatched = self._confirmed(found)
        self.tracks = [track for track in self.tracks if track.unseen < UNSEEN]
        begun = []
        for each in unmatched[: max(self.settings.max_hands - len(self.tracks), 0)]:
            track = self._returned(each) or self._begun(each)
            sides = self._sides(track)
            crops = [
                HandCrop(rgb, side, crop_of_box(each.box_px), camera.K, self.settings.bone_mm)
                for side in sides
            ]
            readings = read_twice(self.graph, crops, draws=DRAWS)
            reading = self._chosen(track, dict(zip(sides, readings, strict=True)))
            if self._is_hand(reading, each) and self._is_new(reading):
                if track in self.lost:
                    self.lost.remove(track)
                else:
                    self.count += 1
                    track.number = self.count
                track.score, track.unseen = each.score, 0
                self.tracks.append(track)
                begun.append(track.add(reading, seconds, camera))
        return begun

    def _lose(self, followed: Sequence[Track], seconds: float) -> None:
        """Remember the tracks that were lost, as long as they may return."""
        known = dict.fromkeys((*self.lost, *followed))
        self.lost = [
            track
            for track in known
            if track not in self.tracks and seconds - track.last.seconds <= MOST_GAP_S
        ]

    def _returned(self, detection: Detection) -> Track | None:
        """Return the nearest lost track that a detection may continue; its filter learns the velocity."""
        near = [(distance(detection.box_px, each.last.reading.box_px), each) for each in self.lost]
        far, track = min(near, key=lambda each: each[0], default=(REACH, None))
        return track if far < REACH else None

    def _confirmed(self, found: Sequence[Detection]) -> list[Detection]:
        """Match detections with tracks by the overlap of boxes, best first; return those that match none."""
        pairs = sorted(
            ((iou(each.box_px, track.last.reading.box_px), i, j)
             for i, each in enumerate(found) for j, track in enumerate(self.tracks)),
            reverse=True,
        )  # fmt: skip
        used: set[int] = set()
        seen: set[int] = set()
        for overlap, i, j in pairs:
            if overlap > (TWICE_IOU if j in seen else SAME_IOU) and i not in used:
                used.add(i)
                if j not in seen:
                    seen.add(j)
                    self._confirm(self.tracks[j], found[i])
        for j, track in enumerate(self.tracks):
            track.unseen = 0 if j in seen else track.unseen + 1
        return [each for i, each in enumerate(found) if i not in used]

    def _confirm(self, track: Track, detection: Detection) -> None:
        track.score = detection.score
        _weigh(track, DETECTION_SHARE * log_odds(detection.right))

    def _begun(self, detection: Detection) -> Track:
        odds = log_odds(detection.right)
        return Track(0, odds, detection.score, "right" if odds > 0 else "left")

    def _sides(self, track: Track) -> tuple[Handedness, ...]:
        """Return the sides as which a track is read: both until its side is sure."""
        if self.settings.handedness is not None:
            return (check_handedness(self.settings.handedness),)
        return (track.handedness,) if abs(track.log_odds) >= SURE else HANDEDNESS

    def _chosen(self, track: Track, readings: dict[Handedness, Reading]) -> Reading:
        """Return the reading of the more probable side, after counting what the readings say about it."""
        if len(readings) == 1:
            return next(iter(readings.values()))
        rule = self.graph.experiment.handedness
        if track.steps:
            _weigh(track, READING_SHARE * log_odds(right_probability(rule, readings)))
        else:  # as `find` decides about a single image
            odds = log_odds(right_probability(rule, readings, probability_of(track.log_odds)))
            _weigh(track, odds - track.log_odds)
        return readings[track.handedness]

    def _plausible(self, reading: Reading, score: float | None) -> bool:
        """Return whether a reading is plausible for a hand that is in the image."""
        height, width = reading.crop.rgb.shape[:2]
        x, y, across, down = reading.box_px
        inside = 0 < x + across / 2 < width and 0 < y + down / 2 < height
        if not inside or not LEAST_SIDE_PX < max(across, down) < 2 * max(width, height):
            return False
        if "uv" in reading.outputs and reading.disagreement > MOST_DISAGREEMENT:
            return False
        rule, bone_mm = self.graph.experiment.confidence, self.settings.bone_mm or ASSUMED_BONE_MM
        share = confidence(rule, reading, bone_mm, score, self.graph.crop_px)
        if share is not None and share < LEAST_CONFIDENCE:
            return False
        return float(reading.outputs["spread"].mean()) < MOST_SPREAD

    def _is_hand(self, reading: Reading, detection: Detection) -> bool:
        graph = self.graph
        return is_hand(graph.experiment.presence, reading, detection.box_px, detection.score, graph.crop_px)

    def _is_new(self, reading: Reading) -> bool:
        boxes = [track.last.reading.box_px for track in self.tracks]
        return all(iou(reading.box_px, box) < TWICE_IOU for box in boxes)


def _apart(steps: Sequence[Step]) -> set[int]:
    """Return the numbers of the tracks, without those that follow the same hand as an earlier one."""
    kept: list[Step] = []
    for step in steps:
        boxes = [other.reading.box_px for other in kept]
        if all(iou(step.reading.box_px, box) < SAME_HAND_IOU for box in boxes):
            kept.append(step)
    return {step.track for step in kept}


def _weigh(track: Track, evidence: float) -> None:
    track.log_odds = min(max(track.log_odds + evidence, -MOST_ODDS), MOST_ODDS)
    if abs(track.log_odds) >= CHANGE_ODDS or not track.steps:
        track.handedness = "right" if track.log_odds > 0 else "left"
