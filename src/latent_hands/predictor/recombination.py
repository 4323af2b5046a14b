"""Recombination: images and hands decoded from factors of several sources."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Latent
from latent_hands.pixels import to_images
from latent_hands.predictor.checks import ImageSource, Rgb
from latent_hands.predictor.decoded import Synthesis, Walk
from latent_hands.predictor.decoded_hands import decoded_hands
from latent_hands.predictor.given_tensors import one_sample
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.sources import ContentReads, Source, crop_around
from latent_hands.predictor.trained_graph import TrainedGraph
from latent_hands.predictor.viewpoints import rotated, viewed


class Recombination(TrainedGraph):
    """A trained graph that decodes images and hands from recombined factors.

    `synthesise` and `transfer` decode images of poses in scenes, `swap` exchanges factors of two sources,
    `walk` and `rotate` lead from one source to another.

    No hand is searched in an image: it must be the crop of a left hand, `crop_px` pixels a side. Of a
    photograph, give `crop_of(image, hand)` with one of its hands, as `find` of the model `estimation` returns
    them.
    """

    def crop_of(self, image: ImageSource, hand: Hand) -> HandCrop:
        """Return one hand of an image as a source: its side, and the crop that this model was trained for.

        Args:
            image: the image in which the hand was found.
            hand: one of its hands.

        >>> synthesis.crop_of("docs/pictures/hand.png", hand).handedness
        'left'
        """
        return crop_around(image, hand, self.experiment.data.crop)

    def synthesise(self, pose: Source, content: Source, content_reads: ContentReads = "rgb") -> Rgb:
        """Return the image of a left hand in the pose of one source and the scene of another (Fig. 2).

        Args:
            pose: an image of a hand, a sample, a hand, or joints (21, 3).
            content: an image of a hand, a tag image of a scene, or a sample. An image must be the crop of
                a left hand, `crop_px` pixels a side, or a `HandCrop` (`crop_of`, `HandCrop.open`).
            content_reads: "rgb" if `content` is an image of a hand, "tag" if it is a tag image. A sample has
                both.

        Raises HandsError if the run has no image decoder, or no encoder for one of the sources.

        >>> crop = synthesis.crop_of(photo, hand)
        >>> image = synthesis.synthesise(pose=hand, content=crop)      # uint8 (128, 128, 3)
        """
        return self.transfer([pose], [content], content_reads)[0][0]

    def transfer(
        self, poses: Sequence[Source], contents: Sequence[Source], content_reads: ContentReads = "rgb"
    ) -> list[list[Rgb]]:
        """Return the images of every pose (rows) in every scene (columns), as in Fig. 6.

        Sources and errors are those of `synthesise`.

        >>> crop = synthesis.crop_of(photo, hand)
        >>> rows = synthesis.transfer(poses=[hand], contents=[crop, crop])
        >>> len(rows), len(rows[0])
        (1, 2)
        """
        self.factors_of("rgb")
        for name, sources in {"poses": poses, "contents": contents}.items():
            _check_list(name, sources)
        rows = synthesis.stack([self.latent(source, ["pose"]) for source in poses])
        columns = synthesis.stack([self.latent(source, ["content"], content_reads) for source in contents])
        images = to_images(self.decode(synthesis.combine(rows, columns))["rgb"])
        return [images[i : i + len(contents)] for i in range(0, len(images), len(contents))]

    def synthesis_of(self, latent: Mapping[str, Tensor | np.ndarray]) -> Synthesis:
        """Decode one latent into an image and a hand, such as a latent that you have changed.

        `latent` has a tensor or an array (1, size) for each factor, as `latent` returns them.
        Raises HandsError if a factor is missing, has another shape or is not finite, and for a run that
        decodes no pose.

        >>> z = synthesis.latent(synthesis.crop_of(photo, hand), ["pose", "content"])
        >>> z["content"] = z["content"] + 0.5
        >>> synthesis.synthesis_of(z).image.shape
        (128, 128, 3)
        """
        if not isinstance(latent, Mapping):
            kind = type(latent).__name__
            raise HandsError(f"a latent must be a mapping of factors, as latent returns it, not a {kind}")
        images, hands = self._decoded(self._whole(dict(latent)))
        return Synthesis(images[0] if images else None, hands[0])

    def swap(
        self, first: Source | Latent, second: Source | Latent, factors: str | Sequence[str]
    ) -> Synthesis:
        """Decode the first source with some factors taken from the second.

        `factors` are one or more names of factors, "pose" or "content". A source may also be a latent with
        all factors.
        Raises HandsError for an unknown factor, and for a factor that a source does not give.

        >>> crop = synthesis.crop_of(photo, hand)
        >>> swapped = synthesis.swap(crop, crop, "content")
        >>> swapped.image.shape, swapped.hand.handedness
        ((128, 128, 3), 'left')
        """
        chosen = synthesis.factors_named(self.vae, factors)
        return self.synthesis_of(synthesis.swap(self._whole(first), self._whole(second), chosen))

    def walk(
        self, factor: str | Sequence[str], start: Source | Latent, end: Source | Latent, steps: int = 8
    ) -> Walk:
        """Decode a straight line in the latent, along one or more factors, between two sources (Fig. 4, 5).

        `factor` is one or more names of factors, "pose" or "content"; ["pose", "content"] moves everything.
        The other factors stay those of `start`. A source may also be a latent with all factors.
        Raises HandsError for an unknown factor, for a factor that a source does not give, and unless `steps`
        is between 2 and 1000.

        >>> crop = synthesis.crop_of(photo, hand)
        >>> walk = synthesis.walk("pose", start=crop, end=crop, steps=3)
        >>> len(walk.images), len(walk.hands)
        (3, 3)
        """
        moving = synthesis.factors_named(self.vae, factor)
        line = synthesis.interpolate(self._whole(start), self._whole(end), moving, steps)
        return Walk(*self._decoded(line))

    def rotate(self, start: Source | Latent, end: Source | Latent, steps: int = 8) -> Walk:
        """Decode the hand of `start` while it rotates to the viewpoint of `end`, in equal angular steps.

        The viewpoints lie on the geodesic of SO(3), and each is encoded again (`viewpoints.rotated`). The
        canonical pose and the content stay those of `start`. `start` gives all factors; of `end` only the
        viewpoint is used, so it may also be a hand or joints.
        Raises HandsError for a factor that a source does not give, for a run that encodes neither viewpoints
        nor poses, and unless `steps` is between 2 and 1000.

        >>> len(synthesis.rotate(start=synthesis.crop_of(photo, hand), end=hand, steps=3).images)
        3
        """
        whole, end_viewpoint = self._whole(start), viewed(self, end)["viewpoint"][0]
        return Walk(*self._decoded(rotated(self, whole, viewed(self, start), end_viewpoint, steps)))

    def _whole(self, source: Source | Mapping[str, Tensor | np.ndarray]) -> Latent:
        """Return all factors of a source."""
        if isinstance(source, Mapping):
            return one_sample(source, self.vae.latent, next(self.vae.parameters()))
        return self.latent(source, tuple(self.vae.latent))

    def _decoded(self, latent: Latent) -> tuple[list[Rgb], list[Hand]]:
        """Decode images, if the run has a decoder for them, and left hands."""
        self.factors_of("pose")
        decoded = self.decode(latent)
        return to_images(decoded["rgb"]) if "rgb" in decoded else [], decoded_hands(self, decoded)


def _check_list(name: str, sources: object) -> None:
    """Raise HandsError for one source in place of a list of sources."""
    one = getattr(sources, "ndim", 3) < 3
    if one or isinstance(sources, str) or not hasattr(sources, "__len__"):
        raise HandsError(f"{name} must be a list of sources, not a {type(sources).__name__}")
