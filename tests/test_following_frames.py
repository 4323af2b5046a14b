"""Frames of followed hands: lists and generators, sizes, cameras, times, and what is refused."""

import numpy as np
import pytest
from followed_hands import True_, World, follower_of, in_world, line, tracks
from PIL import Image
from tiny_models import ESTIMATION, PLACEMENT, noise_image, tiny_model

from latent_hands.errors import HandsError
from latent_hands.predictor import following


@pytest.fixture
def run(monkeypatch):
    return follower_of(monkeypatch)


@pytest.mark.parametrize("smooth", ["none", "online", "offline"])
def test_lists_and_generators_of_frames_give_the_same(run, smooth):
    world = World([(hand,) for hand in line(80, 200, 14)], noise=0.3)
    lazy, whole = (list(run(world, each, smooth=smooth)) for each in (world.images(), list(world.images())))
    assert [[h.to_json() for h in hands] for hands in lazy] == [
        [h.to_json() for h in hands] for hands in whole
    ]


def test_a_video_file_is_followed_as_its_frames_with_their_times(run, tmp_path, monkeypatch):
    path, world = tmp_path / "clip.mp4", World([(hand,) for hand in line(80, 120, 4)], noise=0.3)
    path.touch()
    times = (0.0, 0.1, 0.3, 0.4)
    monkeypatch.setattr(following, "read_video", lambda file: zip(world.images(), times, strict=True))
    whole = list(run(world, world.images(), seconds=times, smooth="online"))
    for source in (path, str(path)):
        for hands, expected in zip(run(world, source, smooth="online"), whole, strict=True):
            assert [hand.to_json() for hand in hands] == [hand.to_json() for hand in expected]
    with pytest.raises(
        HandsError, match=r"a\.png is not a video; a video ends in \.avi.*; give images as a list"
    ):
        list(run(world, "a.png"))
    with pytest.raises(HandsError, match=r"no video at .*none\.mp4"):
        list(run(world, tmp_path / "none.mp4"))


@pytest.mark.usefixtures("as_users_run")
def test_frames_and_times_are_as_many(run, tmp_path):
    world, path = World([(True_(100),)] * 3), tmp_path / "clip.mp4"
    path.touch()
    images = list(world.images())
    for times in ([0.0, 0.1], [0.0, 0.1, 0.2, 0.3], np.arange(4.0)):
        with pytest.raises(HandsError, match=f"there are 3 frames and {len(times)} times"):
            list(run(world, images, seconds=times))
    with pytest.raises(HandsError, match="states the times of its frames: leave seconds out"):
        list(run(world, path, seconds=[0.0]))
    for image in (images[0], images[0][..., 0]):
        with pytest.raises(HandsError, match="frames are one image; give a list of images"):
            list(run(world, image))


def test_online_frames_are_read_one_at_a_time(run):
    world = World([(True_(100),)] * 6)
    taken = []
    images = (taken.append(i) or image for i, image in enumerate(world.images()))
    for i, _ in enumerate(run(world, images, smooth="online")):
        assert len(taken) == i + 1


@pytest.mark.parametrize("smooth", ["online", "none"])
def test_a_tracker_gives_the_hands_of_follow(run, monkeypatch, smooth):
    world, seconds = World([(True_(100 + 3 * i),) for i in range(12)], noise=0.1), [0.0, None, 0.2, 0.1]
    followed = run(world, seconds=seconds, smooth=smooth)
    tracker = in_world(monkeypatch, tiny_model(PLACEMENT, frame="ray"), world).tracker(smooth=smooth)
    for hands, image, time in zip(followed, world.images(), [*seconds, *[None] * 8], strict=True):
        for hand, tracked in zip(hands, tracker.track(image, time), strict=True):
            assert (hand.seconds, hand.track, hand.handedness) == (
                *(tracked.seconds, tracked.track, tracked.handedness),
            )
            np.testing.assert_array_equal(hand.uv_px, tracked.uv_px)
            np.testing.assert_array_equal(hand.pose, tracked.pose)


def test_a_tracker_cannot_wait_for_later_frames():
    with pytest.raises(HandsError, match=r'"offline", which needs all frames'):
        tiny_model(PLACEMENT, frame="ray").tracker(smooth="offline")
    with pytest.raises(HandsError, match="uv"):
        tiny_model(ESTIMATION).tracker()


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
    centred = {"K": np.array([[300.0, 0, 159.5], [0, 300.0, 99.5], [0, 0, 1]])}, {"focal_px": 300.0}
    for given, cx in (({"K": K}, 149.5), (centred[0], 159.5), (centred[1], 159.5)):
        found = [hand.K for hands in run(world, images, **given, smooth=smooth) for hand in hands]
        np.testing.assert_allclose(found[:2], [[[300.0, 0, cx], [0, 300.0, 99.5], [0, 0, 1]]] * 2)
        half = [[150.0, 0, cx / 2 - 0.25], [0, 150.0, 49.5], [0, 0, 1]]
        np.testing.assert_allclose(found[2:], [half] * 2)
    with pytest.raises(HandsError, match="both given"):
        run(world, images, K=K, focal_px=300.0)


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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.0, 0.1, 5.0, 5.1], [1, 1, 2, 2]),
        ([0.0, 0.9, 1.0, 1.1], [1, 1, 1, 1]),  # the first call of a loop is slow
        ([7.0, 7.9, 8.8, 9.7], [1, 1, 1, 1]),  # all calls are
        ([0.0, 0.1, 0.5, 0.6], [1, 1, 1, 1]),
    ],
)
def test_tracks_end_in_a_gap_but_not_because_a_loop_is_slow(run, seconds, expected):
    found = run(World([(True_(100),)] * 4), seconds=seconds)
    assert [hands[0].track for hands in found] == expected


@pytest.mark.parametrize("smooth", ["none", "online", "offline"])
def test_hands_come_with_their_frame(run, smooth):
    world = World([(True_(100),)] * 4)
    for images in (list(world.images()), np.stack(list(world.images()))):
        video = run(world, images, smooth=smooth, fps=10.0)
        with pytest.raises(HandsError, match="before the first hands"):
            video.frame  # noqa: B018
        for number, hands in enumerate(video):
            assert (video.frame.number, video.frame.seconds) == (number, hands[0].seconds)
            np.testing.assert_array_equal(video.frame.rgb, images[number])
    assert number == 3


def test_frames_that_were_read_only_once_are_gone_after_smoothing_with_all_of_them(run):
    video = run(World([(True_(100),)] * 3), smooth="offline")
    assert len(next(video)) == 1
    with pytest.raises(HandsError, match="give a list of images, or a video file"):
        video.frame  # noqa: B018


def test_times_that_are_wrong_are_announced_or_refused(run, caplog):
    world = World([(True_(100),)] * 4)
    given = [hands[0].seconds for hands in run(world, seconds=[0.0, 0.2, 0.1, 0.3], fps=20.0)]
    assert given == pytest.approx([0, 0.2, 0.25, 0.3])
    assert "the time of frame 2, 0.1 s, is not after 0.2 s" in caplog.text
    with pytest.raises(HandsError, match="the time of frame 1 is nan"):
        list(run(world, seconds=[0.0, float("nan"), 0.1]))


def test_frames_without_hands_have_none(run):
    assert list(run(World([()] * 3))) == [[], [], []]


def test_illegal_values_are_refused_before_any_frame(run):
    world = World([(True_(100),)])
    for wrong in (
        {"smooth": "offlien"},
        {"max_hands": 0},
        {"fps": 0.0},
        {"handedness": "up"},
        {"bone_mm": 3.0},
    ):
        with pytest.raises(HandsError):
            run(world, **wrong)


def test_a_model_that_does_not_measure_joints_in_the_image_is_refused():
    model = tiny_model(ESTIMATION)
    model.detector = World([()])
    with pytest.raises(HandsError, match="uv"):
        list(model.follow([np.zeros((20, 20, 3), np.uint8)]))


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        (Image.new("RGB", (8, 8)), {}, "frames are one image; give a list of images, or a video file"),
        (3, {}, "frames must be a list of images, or a video file, not 3"),
        ([], {"seconds": 0.1}, "seconds must be a list with the time of each frame, .* not 0.1"),
        ([noise_image()], {"seconds": ["a"]}, "the time of frame 0 is a; it must be finite"),
        ([noise_image()], {"fps": "a"}, "fps is a, but must be above 0 frames per second"),
    ],
)
def test_what_is_no_list_of_frames_is_named(frames, options, words):
    with pytest.raises(HandsError, match=words):
        list(tiny_model(PLACEMENT).follow(frames, **options))
