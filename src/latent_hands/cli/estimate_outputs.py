"""The files that the command estimate writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latent_hands.cli.estimate_inputs import Input, Video
from latent_hands.data.sample import Sample
from latent_hands.predictions import ImageHands, write_coco, write_csv, write_json, write_npz

ALL = "hands"
"""The name of the files that hold the hands of all images."""


@dataclass(frozen=True)
class Outputs:
    """The folder and the formats of the outputs.

    Attributes:
        out: the folder.
        formats: some of "json", "csv", "npz" and "coco".
        overlays: whether drawings are written.
        panels: whether drawings show the 3D hands.
    """

    out: Path
    formats: tuple[str, ...] = ("json",)
    overlays: bool = True
    panels: bool = False

    def paths(self, inputs: Sequence[Input], videos: Sequence[Video]) -> Iterator[Path]:
        """Iterate over all files that may be written."""
        for each in inputs:
            yield from (self.path(each.name, ending) for ending in ("json", "png"))
        for each in videos:
            yield from (self.path(each.name, ending) for ending in ("jsonl", "npz", "csv", "mp4"))
        yield from (self.path(ALL, ending) for ending in ("csv", "npz"))
        yield self.out / "coco" / "annotations"

    def inputs(self, inputs: Sequence[Input], videos: Sequence[Video]) -> Iterator[Path]:
        """Iterate over all files that are read, but for those of samples."""
        yield from (each.image for each in inputs)
        yield from (each.file for each in videos if each.file is not None)

    def samples(self, inputs: Sequence[Input]) -> Iterator[Sample]:
        """Iterate over all samples."""
        return (sample for each in inputs for sample in each.samples)

    def path(self, name: str, ending: str) -> Path:
        """Return the path of an output."""
        return self.out / f"{name}.{ending}"

    def write_image(self, image: ImageHands) -> None:
        """Write the JSON of an image."""
        self.out.mkdir(parents=True, exist_ok=True)
        if "json" in self.formats:
            write_json(self.path(image.name, "json"), image)

    def write_all(self, images: Sequence[ImageHands], convention: str | None) -> None:
        """Write the files that hold the hands of all images."""
        self.out.mkdir(parents=True, exist_ok=True)
        if "csv" in self.formats:
            write_csv(self.path(ALL, "csv"), images)
        if "npz" in self.formats:
            write_npz(self.path(ALL, "npz"), images)
        if "coco" in self.formats:
            write_coco(self.out / "coco", images, convention)

    def write_video(self, name: str, frames: Sequence[ImageHands]) -> None:
        """Write the NPZ and, if wanted, the CSV of a video. The lines of JSON are written frame by frame."""
        write_npz(self.path(name, "npz"), frames)
        if "csv" in self.formats:
            write_csv(self.path(name, "csv"), frames)
