"""Finding hands in a whole image with torch: the readings of candidates by a trained graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latent_hands.detection import Detection
from latent_hands.predictor.assembly import assembled
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.candidates import Candidate, Reader, read_candidates
from latent_hands.predictor.checks import Rgb, bone_of
from latent_hands.predictor.choosing import found_hands
from latent_hands.predictor.hand import Hand, Handedness
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.reading import Glance, Reading, glance, read_again, read_twice
from latent_hands.predictor.trained_graph import TrainedGraph


@runtime_checkable
class HandDetector(Protocol):
    """A detector of hands in an image."""

    def detect(self, rgb: Rgb) -> Sequence[Detection]:
        """Return the hands of an image, the highest score first."""
        ...


@dataclass(frozen=True)
class GraphReader(Reader[HandCrop, Reading, Glance]):
    """Readings by a trained graph; `rotations` and `draws` are those of `TrainedGraph.predict_images`."""

    graph: TrainedGraph
    rotations: int = 1
    draws: int = 0

    crop = HandCrop

    def measures(self, name: str) -> bool:
        """Return whether the graph decodes a modality."""
        return name in self.graph.vae.writes

    def glance(self, crops: Sequence[HandCrop]) -> Glance:
        """Read every crop for the first time."""
        return glance(self.graph, crops)

    def read_again(self, first: Glance, wanted: Sequence[tuple[int, Handedness]]) -> list[Reading]:
        """Read crops again in the crops around the joints that were found."""
        return read_again(self.graph, first, wanted, self.rotations, self.draws)

    def read_twice(self, crops: Sequence[HandCrop]) -> list[Reading]:
        """Read every crop, and again."""
        return read_twice(self.graph, crops, self.rotations, self.draws)


def find_hands(
    graph: TrainedGraph,
    rgb: Rgb,
    camera: ImageCamera,
    candidates: Sequence[Candidate],
    bone_mm: float | None,
    rotations: int,
    draws: int,
) -> list[Hand]:
    """Return the hands of an image among some candidates, in the order of the candidates.

    Candidates with a given box are hands. Detected ones may be none, or hands that were found twice. The
    crops of all candidates are read in one batch, and those that must be read again in another.
    """
    bone = None if bone_mm is None else bone_of(bone_mm)
    reader = GraphReader(graph, rotations, draws)
    readings = read_candidates(reader, graph.rules, rgb, camera, candidates, bone)
    return found_hands(graph.rules, candidates, readings, camera)


def hand_of(graph: TrainedGraph, reading: Reading, camera: ImageCamera | None, score: float | None) -> Hand:
    """Return the hand of a reading, with its palm in space where the camera is known."""
    return assembled(graph.rules, reading, camera, score)
