"""Draw Fig. 4, Fig. 6 and transfers between renderings and photographs.

    python benchmarks/draw_photograph_figures.py RUN OUT \\
        --photographs PHOTOS --faces faces.json --rendered scenes

PHOTOS is the COCO set that `label_photographs.py` wrote, in the joint convention of the run. faces.json is
the file of `list_faces.py` for its evaluation split. Photographs are chosen as in `portrait_hands.py`. Those
of one place have one tag, the first of them. `scenes` is a rendered set with tags.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from portrait_hands import usable

from latent_hands import draw
from latent_hands.data import Sample, open_data
from latent_hands.predictor import Model, crop_of_sample
from latent_hands.studies.gallery import transfer_grid
from latent_hands.studies.reproduce.drawing import save
from latent_hands.studies.reproduce.selection import spread
from latent_hands.studies.reproduce.transfer import draw_fig6, measure_fig6
from latent_hands.studies.reproduce.walks import draw_fig4, measure_fig4

EACH = 4
"""Rendered and photographed hands in the grid of transfers."""


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("out", type=Path)
    parser.add_argument("--photographs", required=True)
    parser.add_argument("--faces", required=True, type=Path)
    parser.add_argument("--rendered", required=True)
    chosen = parser.parse_args()
    model, faces = Model.load(chosen.run), json.loads(chosen.faces.read_text())
    photographs = with_places(usable(open_data("coco", chosen.photographs, "evaluation"), faces))
    rendered = [
        each for each in open_data("rendered", chosen.rendered, "evaluation") if each.handedness == "left"
    ]
    save(measure_fig4(model, photographs), draw_fig4, chosen.out / "fig4_photographs")
    save(measure_fig6(model, photographs), draw_fig6, chosen.out / "fig6_photographs")
    hands = [*spread(rendered, EACH), *spread(photographs, EACH)]
    views = [crop_of_sample(each, model.experiment.data.crop) for each in hands]
    draw.save_image(transfer_grid(model, views, views), chosen.out / "transfers.png")


def with_places(samples: Sequence[Sample]) -> list[Sample]:
    """Return the photographs of places with three or more, without the first of each, which is the tag.

    The place is the part of a name before "_pic".
    """
    places: dict[str, list[Sample]] = {}
    for sample in samples:
        place, is_known, _ = sample.name.rpartition("_pic")
        if is_known:
            places.setdefault(place, []).append(sample)
    return [
        replace(sample, tag=first.image)
        for first, *others in places.values()
        for sample in others
        if len(others) > 1
    ]


if __name__ == "__main__":
    main()
