"""Model: a trained run that predicts hands from images, and images from poses and contents."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import torch

from latent_hands.other_words import MODEL, hinting
from latent_hands.predictor.checks import ImageSource
from latent_hands.predictor.devices import find_device
from latent_hands.predictor.estimation import Estimation
from latent_hands.predictor.intended_use import announce_use
from latent_hands.runs.folder import find_run, load_run, write_run
from latent_hands.runs.hub import pinned, short_name

if TYPE_CHECKING:
    from latent_hands.predictor.follow_settings import Options
    from latent_hands.predictor.follower import Follower
    from latent_hands.predictor.following import Followed, Tracker

STEPS = {
    *("decoded_of", "fast", "hands_at", "hands_of", "predict_images", "predict_crop", "predict_windows"),
    *("right_of", "rules"),
}
"""Attributes of a model that only this package calls."""


def as_model(run: "Model | str | Path") -> "Model":
    """Return a model as it is, or load a run. Raises HandsError as `Model.load` does."""
    return run if isinstance(run, Model) else Model.load(run)


class Model(Estimation):
    """A trained run.

    `load` opens one. `find` finds the hands in an image, `follow` those in a video, `tracker` those in a loop
    of your own, `estimate` predicts one hand. `synthesise`, `transfer`, `swap`, `walk` and `rotate` decode
    images and hands from recombined factors. `latent` infers factors of an image, and `synthesis_of` decodes
    them, also after you have changed them. `infer` and `outputs` read batches of crops. `save` writes a
    run folder.

    Attributes:
        run: the run that was loaded, with its commit if it is on the Hugging Face Hub.
        folder: the folder that it was loaded from.
    """

    run: str | None = None
    folder: Path | None = None

    if not TYPE_CHECKING:  # type checkers know the attributes
        __getattr__ = hinting(MODEL)

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

    def follow(
        self,
        frames: str | Path | Iterable[ImageSource],
        *,
        seconds: Iterable[float | None] = (),
        **options: "Unpack[Options]",
    ) -> "Followed":
        """Follow hands through the frames of a video.

        The crop of a hand follows the joints of the last frame. Hands are detected in the first frame, in
        every tenth frame, and when a hand was lost. The side of a hand is decided over several frames.

        Args:
            frames: a video file (the extra "video"), or images in the order of time, each as for `find`.
                Where their size changes, all tracks end.
            seconds: the time of each image in seconds, increasing; None where it is not known. The times of a
                video file come from the file.
            options:
                fps: frames per second, for frames whose time is not known; 30 by default.
                handedness, bone_mm, K, focal_px: as in `find`, for all hands and frames. A given camera is
                    that of the first frame, and is resized with later frames of another size.
                smooth: "online", the default, filters with the frames so far. "offline" smooths with all
                    frames: no hands come before the last frame was read. "none" gives the prediction of each
                    frame alone.
                max_hands: largest number of hands at a time; 2 by default.
                zoom: as in `find`, for the frames in which hands are detected.

        Returns an iterator over the hands of each frame; the list is empty if there is no hand. Its attribute
        `frame` is the frame of the last hands, with `rgb`, `seconds` and `number`. `Hand.track` is the number
        of the hand in the video. A lost hand keeps it if the hand is found nearby within half a second.
        `Hand.seconds` is the time of the frame.
        Raises HandsError for an image, a video or a value that is not valid, for another number of times than
        of images, and for a frame of another shape than the first one if a camera is given. Hands of frames
        before an error are returned.

        >>> video = model.follow([photo, photo, photo], fps=30.0)
        >>> for hands in video:
        ...     print(video.frame.number, [hand.track for hand in hands])
        0 [1]
        1 [1]
        2 [1]
        """
        from latent_hands.predictor.following import Followed  # imports scipy

        return Followed(self, self._follower(**options), frames, seconds)

    def tracker(self, **options: "Unpack[Options]") -> "Tracker":
        """Return a tracker for a loop of your own: `hands = tracker.track(frame, seconds)`.

        Options and errors are those of `follow`, except that `smooth` is "online" or "none".

        >>> tracker = model.tracker(bone_mm=36.0)
        >>> [len(tracker.track(frame)) for frame in (photo, photo)]
        [1, 1]
        """
        from latent_hands.predictor.following import Tracker  # imports scipy

        return Tracker(self, self._follower(**options))

    def _follower(self, **options: "Unpack[Options]") -> "Follower":
        from latent_hands.predictor.follow_settings import Settings
        from latent_hands.predictor.follower import Follower  # imports scipy

        announce_use(self.vae.writes)
        return Follower(self, self.detector, Settings(**options))
