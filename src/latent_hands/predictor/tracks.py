"""Tracks: one hand over the frames of a video, its filtered state, and the hands of that state.

The state consists of numbers and one rotation (`smoothing`), in frames that do not move with the crop:

* z of canonical pose and viewpoint, as the encoder infers it;
* the palm in the image, in units of a fixed length, and the logarithm of the length of a bone in pixels;
* the viewpoint, as a rotation into the camera frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float

from latent_hands.hand import geometry
from latent_hands.hand.boxes import ROOM, Box, crop_of_joints
from latent_hands.predictor import smoothing
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.crop import is_off
from latent_hands.predictor.find import hand_of
from latent_hands.predictor.hand import Hand, Handedness
from latent_hands.predictor.measuring import bone_px_log, bone_px_log_of, measure
from latent_hands.predictor.reading import Reading, mirrored
from latent_hands.predictor.smoothing import Belief, Motion, Process
from latent_hands.predictor.trained_graph import TrainedGraph

SPEED = {"latent": 2.0, "palm": 8.0, "size": 2.8, "rotation": 1.0}
"""Standard deviations of velocities, per second: of z, palm (bone lengths), ln size, rotation (radians).

With MEMORY_S and `measuring.NOISE_SHARE` they are chosen on rendered sequences
(benchmarks/compare_smoothing.py --fit).
"""
MEMORY_S = 0.1
REST_SPEED, REST_MEMORY_S = 0.01, 0.02
"""Speeds of a hand at rest, relative to SPEED, and the time in which a velocity ends there."""
CHANGE_S = 0.5
"""Mean time until a hand at rest may begin to move, and the reverse."""
CORRECTION = 0.5
"""Share of the correction of a crop that is made from frame to frame."""


@dataclass(frozen=True, eq=False)
class Step:
    """A track in one frame.

    Args:
        track: The number of the track.
        part: The part of the track: a new one begins where the side changes.
        reading: The prediction for this frame alone.
        belief: The filtered state.
        seconds: The time of the frame.
        camera: The camera of the frame.
        unit_px: The unit of the palm.
        score: The score of the last detection.
    """

    track: int
    part: int
    reading: Reading
    belief: Belief
    seconds: float
    camera: ImageCamera
    unit_px: float
    score: float | None = None

    def without_image(self) -> "Step":
        """Return the step without the pixels of its frame."""
        crop = replace(self.reading.crop, rgb=np.zeros((1, 1, 3), np.uint8))
        return replace(self, reading=Reading(crop, self.reading.outputs))


@dataclass(eq=False)
class Track:
    """A hand that is followed.

    Args:
        number: Its number, never used twice.
        log_odds: Accumulated log odds of a right hand.
        score: The score of its last detection.
        handedness: Its side. It changes where the log odds of the other side are clear.
        steps: Its last step; empty before the first one.
        unseen: Number of detections in a row that did not find it.
        part: Number of changes of the side.
    """

    number: int
    log_odds: float
    score: float | None
    handedness: Handedness = "left"
    steps: list[Step] = field(default_factory=list)
    unseen: int = 0
    part: int = 0

    @property
    def last(self) -> Step:
        """The last step."""
        return self.steps[-1]

    def expected_uv_px(self, seconds: float) -> Float[np.ndarray, "21 2"]:
        """Return where the joints are expected at a later time: moved and scaled by the filtered velocity."""
        step = self.last
        dt = max(seconds - step.seconds, 0.0)
        later = smoothing.predict(step.belief, dt, process_of(step.belief)) if dt else step.belief
        scale = np.exp(later.values[-1] - bone_px_log(step.reading))
        uv = step.reading.uv_px
        return (uv - uv[0]) * scale + later.values[-3:-1] * step.unit_px

    def expected_crop(self, seconds: float, size_px: tuple[int, int]) -> Box:
        """Return the crop around the expected joints; the last one again if it is still right.

        A crop that moved with the noise of the last joints would add noise to the next ones. The crop follows
        the expected movement, but makes only a share `CORRECTION` of the correction that the last reading
        asks for: what a network measures depends on the crop, and a crop that was corrected fully may be
        corrected back in the next frame, and so on for ever.
        """
        last = self.last.reading.crop.crop_box_px
        wanted = crop_of_joints(self.expected_uv_px(seconds), size_px, ROOM)
        if not is_off(last, wanted):
            return last
        asked = crop_of_joints(self.last.reading.uv_px, size_px, ROOM)
        correction = (1 - CORRECTION) * (np.array(asked) - np.array(last))
        x, y, side, _ = (np.array(wanted) - correction).tolist()
        return x, y, side, side

    def add(self, reading: Reading, seconds: float, camera: ImageCamera) -> Step:
        """Filter the reading of a frame, and return the step."""
        begins = not self.steps or self.last.reading.crop.handedness != reading.crop.handedness
        if begins:
            self.part += bool(self.steps)
            found = measure(reading)
            belief = smoothing.begin(
                found.values, found.rotation, found.variance, process_of_length(len(found.variance))
            )
        else:
            step = self.last
            found = measure(reading, step.unit_px)
            dt, motion = seconds - step.seconds, motion_of_length(len(found.variance))
            belief = smoothing.filtered(step.belief, dt, found.values, found.rotation, found.variance, motion)
        self.steps = [
            Step(self.number, self.part, reading, belief, seconds, camera, found.unit_px, self.score)
        ]
        return self.last


def process_of_length(count: int) -> Process:
    """Return the process of a state of `count` numbers and axes."""
    groups = ("latent", count - 6), ("palm", 2), ("size", 1), ("rotation", 3)
    return Process(np.concatenate([np.full(n, SPEED[name]) for name, n in groups]), MEMORY_S)


def motion_of_length(count: int) -> Motion:
    """Return the movement of a state of `count` numbers and axes."""
    moving = process_of_length(count)
    return Motion(Process(REST_SPEED * moving.speed, REST_MEMORY_S), moving, CHANGE_S)


def process_of(belief: Belief) -> Process:
    """Return the process of a belief."""
    return process_of_length(len(belief.velocity))


def hand_of_step(graph: TrainedGraph, step: Step, belief: Belief | None) -> Hand:
    """Return the hand of a step: of its reading alone, or of a state with the reading's crop.

    The pose of a state is its canonical pose, rotated by its viewpoint. The joints in the image are decoded
    from its z, and then moved and scaled to its palm and its size.
    """
    reading = step.reading
    if belief is not None:
        reading = _reading_of(graph, step, belief)
    hand = hand_of(graph, reading, step.camera, step.score)
    return replace(hand, seconds=step.seconds, track=step.track)


def smoothed(steps: Sequence[Step]) -> list[Belief]:
    """Return the states of all frames of one part of a track, each given all frames.

    One process suffices: the frames after a rest say when it ended.
    """
    found = [measure(step.reading, step.unit_px) for step in steps]
    seconds, process = [step.seconds for step in steps], process_of(steps[0].belief)
    beliefs = [smoothing.begin(found[0].values, found[0].rotation, found[0].variance, process)]
    for dt, each in zip(np.diff(seconds), found[1:], strict=True):
        expected = smoothing.predict(beliefs[-1], float(dt), process)
        beliefs.append(smoothing.update(expected, each.values, each.rotation, each.variance))
    return smoothing.smooth(beliefs, seconds, process)


def _reading_of(graph: TrainedGraph, step: Step, belief: Belief) -> Reading:
    crop, outputs = step.reading.crop, dict(step.reading.outputs)
    is_right = torch.tensor([crop.handedness == "right"])
    condition = graph.experiment.data.right_hands == "condition"
    latent = torch.from_numpy(belief.values[:-3]).float()[None]
    decoded = {
        name: value[0].cpu()
        for name, value in graph.hands_at(latent, is_right if condition else None).items()
    }
    if not condition and crop.handedness == "right":
        decoded = mirrored(decoded)
    outputs["cpose"] = decoded["cpose"]
    outputs["viewpoint"] = torch.from_numpy(belief.rotation).float()
    outputs["pose"] = geometry.compose(outputs["cpose"], outputs["viewpoint"], is_right[0])
    if "uv" in decoded:
        # The size of the joints in the image is measured on the pose that was decoded with them.
        uv_px, along_ray = crop.joints_px(decoded), decoded["pose"].numpy()
        scale = np.exp(belief.values[-1] - bone_px_log_of(uv_px, along_ray))
        moved = (uv_px - uv_px[0]) * scale + belief.values[-3:-1] * step.unit_px
        outputs["uv"] = torch.from_numpy((moved - crop.centre_px) / (crop.side_px / 2)).float()
    return Reading(crop, outputs)
