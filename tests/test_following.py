"""Following hands: identities, sides over time, lost tracks, causality, equal results for all chunkings.

The frames are blank; the first pixel holds the number of the frame. Fake readings look up its hands.
"""

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest
import torch
from posed_hands import posed_hands
from tiny_models import ESTIMATION, PLACEMENT, tiny_model

from latent_hands.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.boxes import box_of_joints
from latent_hands.predictor import follower
from latent_hands.predictor.reading import Reading

WIDTH, HEIGHT, SIZE_PX = 320, 200, 50
SHAPE = geometry.normalise(geometry.to_palm(torch.from_numpy(posed_hands(1)[0].xyz_mm)))[0].float()


@dataclass(frozen=True)
class True_:
    """A true hand in one frame."""

    x: float
    y: float = 100.0
    side: str = "left"

    @property
    def uv_px(self):
        flat = SHAPE[:, :2].numpy()
        return (flat * SIZE_PX / np.abs(flat).max() / 2 + [self.x, self.y]).astype(np.float32)


class World:
    """The true hands of each frame; it detects and reads them."""

    def __init__(self, frames, right=None, order=1, noise=0.0, uv_spread=0.05):
        self.frames, self.right, self.order, self.noise = frames, right, order, noise
        self.uv_spread = uv_spread
        self.detections = 0

    def images(self, count=None, size=(HEIGHT, WIDTH)):
        for i in range(len(self.frames) if count is None else count):
            image = np.zeros((*size, 3), np.uint8)
            image[0, 0] = i // 256, i % 256, 0
            yield image

    def hands(self, rgb):
        return self.frames[int(rgb[0, 0, 0]) * 256 + int(rgb[0, 0, 1])]

    def detect(self, rgb):
        self.detections += 1
        found = []
        for hand in self.hands(rgb):
            right = self.right if self.right is not None else {"left": 0.01, "right": 0.99}[hand.side]
            side = "right" if right > 0.5 else "left"
            found.append(Detection(box_of_joints(hand.uv_px), side, 0.9, right))
        return found[:: self.order]

    def read(self, graph, photos, rotations=1, draws=0):
        return [self._reading(photo) for photo in photos]

    def _reading(self, photo):
        near = [
            h for h in self.hands(photo.rgb) if np.hypot(*(h.uv_px[0] - photo.centre_px)) < photo.side_px / 2
        ]
        hand = min(near, key=lambda h: np.hypot(*(h.uv_px[0] - photo.centre_px)), default=None)
        uv_px = True_(*photo.centre_px).uv_px if hand is None else hand.uv_px
        frame = int(photo.rgb[0, 0, 1])
        rng = np.random.default_rng(frame)
        spread = 5.0 if hand is None else 0.2 if hand.side == photo.handedness else 0.6
        outputs = {
            "pose": SHAPE,
            "cpose": geometry.canonicalise(SHAPE)[0],
            "viewpoint": geometry.canonicalise(SHAPE)[1],
            "uv": torch.from_numpy((uv_px - photo.centre_px) / (photo.side_px / 2)).float(),
            "spread": torch.full((21,), spread),
            "uv_spread": torch.full((21,), self.uv_spread),
            "nats": torch.tensor(10.0),
            "latent": torch.from_numpy(self.noise * rng.normal(size=12)).float(),
            "latent_variance": torch.full((12,), 0.1),
        }
        return Reading(photo, outputs)


def line(start, end, count, **kwargs):
    return [True_(x, **kwargs) for x in np.linspace(start, end, count)]


@pytest.fixture
def run(monkeypatch):
    model = tiny_model(PLACEMENT, frame="ray")

    def follow(world, images=None, **options):
        monkeypatch.setattr(follower, "read", world.read)
        monkeypatch.setattr(follower, "read_twice", world.read)
        model.detector = world
        return model.follow(world.images() if images is None else images, **{"smooth": "none", **options})

    return follow


def tracks(frames):
    return [[hand.track for hand in hands] for hands in frames]


def test_identities_do_not_depend_on_the_order_of_detections(run):
    two = list(zip(line(60, 260, 31), line(250, 60, 31, y=160.0), strict=True))
    ways = [list(run(World(two, order=order))) for order in (1, -1)]
    for frames in ways:
        assert all(sorted(numbers) == [1, 2] for numbers in tracks(frames))
    for number in (1, 2):
        paths = [
            [next(hand.uv_px[0] for hand in hands if hand.track == number) for hands in frames]
            for frames in ways
        ]
        np.testing.assert_array_equal(*paths)
        assert np.abs(np.diff(paths[0], axis=0)).max() < 10


def test_hands_that_cross_keep_their_numbers(run):
    left, right = line(60, 260, 41), line(260, 60, 41, y=160.0, side="right")
    frames = list(run(World(list(zip(left, right, strict=True)))))
    for hands, a, b in zip(frames, left, right, strict=True):
        found = {hand.track: (hand.uv_px[0, 0], hand.handedness) for hand in hands}
        first = found[1] if frames[0][0].handedness == "left" else found[2]
        second = found[2] if frames[0][0].handedness == "left" else found[1]
        assert first == (pytest.approx(a.uv_px[0, 0], abs=1), "left")
        assert second == (pytest.approx(b.uv_px[0, 0], abs=1), "right")


@pytest.mark.parametrize(("away", "second"), [(5, 1), (30, 2)])
def test_a_hand_that_returns_soon_keeps_its_number(run, away, second):
    hand = True_(100)
    frames = tracks(run(World([(hand,)] * 12 + [()] * away + [(hand,)] * 12)))
    assert frames[:12] == [[1]] * 12
    assert frames[12 + away :] == [[second]] * 12
    assert all(not numbers for numbers in frames[12 : 12 + away])


def test_a_fast_hand_keeps_its_number(run):
    frames = tracks(run(World([(hand,) for hand in line(20, 300, 8)])))
    assert frames == [[1]] * 8


def test_hands_are_detected_only_at_the_start_every_tenth_frame_and_when_lost(run):
    world = World([(True_(100),)] * 25)
    list(run(world))
    assert world.detections == 3
    world = World([(True_(100),)] * 5 + [()] * 4)
    list(run(world))
    assert world.detections == 1 + 4


def test_at_most_so_many_hands_are_followed(run):
    world = World([(True_(60), True_(160), True_(260))] * 3)
    assert [len(hands) for hands in run(world)] == [2, 2, 2]
    assert [len(hands) for hands in run(world, most=3)] == [3, 3, 3]


def test_the_side_is_decided_over_time_and_then_stays(run):
    frames = list(run(World([(True_(100),)] * 30, right=0.7)))
    sides = [hands[0].handedness for hands in frames]
    assert sides[-1] == "left"
    assert sides == sorted(sides, reverse=True)
    assert {hands[0].track for hands in frames} == {1}
    given = list(run(World([(True_(100),)] * 3), handedness="right"))
    assert [hands[0].handedness for hands in given] == ["right"] * 3


@pytest.mark.parametrize("smooth", ["none", "online"])
def test_the_future_does_not_matter(run, smooth):
    moving = [(hand,) for hand in line(80, 200, 20)]
    other = moving[:12] + [()] * 8
    long, short = (list(run(World(each, noise=0.3), smooth=smooth)) for each in (moving, other))
    for a, b in islice(zip(long, short, strict=True), 12):
        assert a[0].to_json() == b[0].to_json()


@pytest.mark.parametrize("smooth", ["none", "online", "offline"])
def test_lists_and_generators_of_frames_give_the_same(run, smooth):
    world = World([(hand,) for hand in line(80, 200, 14)], noise=0.3)
    lazy, whole = (list(run(world, each, smooth=smooth)) for each in (world.images(), list(world.images())))
    assert [[h.to_json() for h in hands] for hands in lazy] == [
        [h.to_json() for h in hands] for hands in whole
    ]


def test_online_frames_are_read_one_at_a_time(run):
    world = World([(True_(100),)] * 6)
    taken = []
    images = (taken.append(i) or image for i, image in enumerate(world.images()))
    for i, _ in enumerate(run(world, images, smooth="online")):
        assert len(taken) == i + 1


@pytest.mark.parametrize("smooth", ["online", "offline"])
def test_smoothed_palms_follow_a_line_and_lose_noise(run, smooth):
    rng = np.random.default_rng(0)
    clean = np.linspace(80, 120, 40)
    noisy = [(True_(x + rng.normal(0, 0.5)),) for x in clean]
    offset = True_(0).uv_px[0, 0]
    found = np.array(
        [hands[0].uv_px[0, 0] - offset for hands in run(World(noisy, uv_spread=0.15), smooth=smooth)]
    )
    raw = np.array([hands[0].x for hands in noisy])
    assert np.abs(found - clean).max() < 4
    assert np.abs(np.diff(found, 2)).mean() < np.abs(np.diff(raw, 2)).mean() / 2


def test_a_hand_at_rest_stays_where_it_is(run):
    frames = [
        list(run(World([(True_(100),)] * 8), smooth=smooth)) for smooth in ("online", "offline", "none")
    ]
    for hands in zip(*frames, strict=True):
        for hand in hands:
            np.testing.assert_allclose(hand[0].uv_px[0], True_(100).uv_px[0], atol=1e-2)


def test_the_crop_stays_while_it_is_right(run):
    """Noise of the joints does not move the crop, and so adds no noise to the next joints."""
    rng = np.random.default_rng(0)
    noisy = [(True_(100 + rng.normal(0, 0.3), 100 + rng.normal(0, 0.3)),) for _ in range(12)]
    crops = [hands[0].crop_px for hands in run(World(noisy))]
    assert len(set(crops[1:])) == 1
    crops = [hands[0].crop_px[0] for hands in run(World([(hand,) for hand in line(60, 260, 31)]))]
    assert np.ptp(np.diff(crops[5:])) < 12
    assert crops[-1] - crops[0] == pytest.approx(200, abs=5)


def test_frames_of_another_size_end_all_tracks(run):
    world = World([(True_(100),)] * 6)
    images = [
        image if i < 3 else np.pad(image, ((0, 40), (0, 0), (0, 0))) for i, image in enumerate(world.images())
    ]
    assert tracks(run(world, images)) == [[1]] * 3 + [[2]] * 3


@pytest.mark.parametrize("smooth", ["none", "online", "offline"])
def test_a_camera_is_resized_with_the_frames(run, smooth):
    """A frame of half the size with half the focal length has the same rays."""
    K = np.array([[300.0, 0, 149.5], [0, 300.0, 99.5], [0, 0, 1]])
    world = World([(True_(100),)] * 4)
    images = list(world.images(2)) + [np.ascontiguousarray(image[::2, ::2]) for image in world.images(4)][2:]
    found = [hand.K for hands in run(world, images, K=K, smooth=smooth) for hand in hands]
    np.testing.assert_allclose(found[:2], [K] * 2)
    np.testing.assert_allclose(found[2:], [[[150.0, 0, 74.5], [0, 150.0, 49.5], [0, 0, 1]]] * 2)


@pytest.mark.parametrize("smooth", ["none", "online", "offline"])
def test_hands_before_a_frame_of_another_shape_are_kept(run, smooth):
    """A cropped frame has no K. Without K it has an assumed camera."""
    world = World([(True_(100),)] * 4)
    images = list(world.images())
    images[2:] = [image[:150] for image in images[2:]]
    found = []
    with pytest.raises(
        HandsError, match="K is the camera of images of 320x200 pixels, but an image of 320x1"
    ):
        found.extend(run(world, images, K=np.diag([300.0, 300.0, 1.0]), smooth=smooth))
    assert tracks(found) == [[1]] * 2
    assert len(list(run(world, images, smooth=smooth))) == 4


def test_times_are_given_or_counted(run):
    world = World([(True_(100),)] * 4)
    given = [hands[0].seconds for hands in run(world, seconds=[0.5, None, 0.7])]
    assert given == pytest.approx([0.5, 0.5 + 1 / 30, 0.7, 0.7 + 1 / 30])
    assert [hands[0].seconds for hands in run(world, fps=10.0)] == pytest.approx([0, 0.1, 0.2, 0.3])
    gap = [hands[0].track for hands in run(world, seconds=[0.0, 0.1, 5.0, 5.1])]
    assert gap == [1, 1, 2, 2]


def test_frames_without_hands_have_none(run):
    assert list(run(World([()] * 3))) == [[], [], []]


def test_illegal_values_are_refused_before_any_frame(run):
    world = World([(True_(100),)])
    for wrong in ({"smooth": "offlien"}, {"most": 0}, {"fps": 0.0}, {"handedness": "up"}, {"bone_mm": 3.0}):
        with pytest.raises(HandsError):
            run(world, **wrong)


def test_a_model_that_does_not_measure_joints_in_the_image_is_refused():
    model = tiny_model(ESTIMATION)
    model.detector = World([()])
    with pytest.raises(HandsError, match="uv"):
        list(model.follow([np.zeros((20, 20, 3), np.uint8)]))


def test_no_hand_is_followed_twice(run):
    world = World([(True_(100),)] * 12)
    detect = world.detect

    def doubled(rgb):
        return [*detect(rgb), *(replace(each, score=0.5) for each in detect(rgb))]

    world.detect = doubled
    assert tracks(run(world)) == [[1]] * 12
