"""The work of models that `killer` stops: runs made from runs, synthesised and labelled images."""

import json
from functools import partial
from importlib import import_module
from pathlib import Path

from killer import Work
from PIL import Image
from tiny_models import PLACEMENT, SYNTHESIS, noise_image, tiny_run

from latent_hands.cli.label import label
from latent_hands.cli.sample import sample
from latent_hands.cli.synthesise_set import synthesise_set
from latent_hands.data import open_data, read_rgb
from latent_hands.data.readers.reading import SPLITS
from latent_hands.errors import HandsError
from latent_hands.runs.average import average
from latent_hands.runs.folder import load_run
from latent_hands.runs.join import join
from latent_hands.runs.shrink import shrink

RUN, SYNTHESISER, TEACHER, PHOTOS, BOXES = "run", "synthesiser", "teacher", "photos", "boxes.csv"
"""What `write_models` and a training write, and the works read."""
IMAGES = 3

for module in ("cli.assess", "cli.label_images", "studies.sampling.making", "studies.sampling.sampled"):
    import_module(f"latent_hands.{module}")  # forks then need not import it
Image.init()


def write_models(folder: Path) -> None:
    """Write two untrained runs, photographs, and the boxes of their hands."""
    tiny_run(folder / SYNTHESISER, SYNTHESIS)
    tiny_run(folder / TEACHER, PLACEMENT)
    (folder / PHOTOS).mkdir()
    lines = ["file,x,y,width,height,handedness"]
    for number in range(IMAGES):
        Image.fromarray(noise_image(seed=number)).save(folder / PHOTOS / f"{number}.png")
        lines.append(f"{number}.png,20,16,24,30,left")
    (folder / BOXES).write_text("\n".join(lines))


def weights(folder: Path) -> str:
    """Return the shapes of the weights: their values are checked as versions."""
    return str({name: tuple(t.shape) for name, t in load_run(folder / RUN)[0].state_dict().items()})


def labels(name: str, root: Path, splits: tuple[str, ...] = SPLITS) -> list[str]:
    """Return the names and the joints of a data set."""
    return [repr((s.name, s.xyz_mm)) for split in splits for s in open_data(name, root, split)]


def average_tiny(folder: Path, given: Path) -> None:
    average([given / RUN, given / RUN], folder / RUN)


def join_tiny(folder: Path, given: Path) -> None:
    join([given / RUN, given / RUN], folder / RUN)


def shrink_tiny(folder: Path, given: Path) -> None:
    shrink(given / RUN, folder / RUN)


def synthesise_tiny(folder: Path, given: Path) -> None:
    run = str(given / SYNTHESISER)
    synthesise_set(folder / "set", 5, run, "prior", evaluation_count=1, poses_per_scene=2, max_reread_mm=1e9)


def synthesised(folder: Path) -> list[str]:
    return labels("rendered", folder / "set")


def sample_tiny(folder: Path, given: Path) -> None:
    sample(str(given / SYNTHESISER), folder / "out", count=IMAGES)


def sampled(folder: Path) -> list[int]:
    """Return the sums of all images that samples.json counts, and of the sheet."""
    out = folder / "out"
    if not out.exists():
        raise HandsError(f"{out} is missing")
    count = json.loads((out / "samples.json").read_text())["count"]
    images = [out / "images" / f"{number:05d}.png" for number in range(count)]
    return [int(read_rgb(image).sum()) for image in [*images, out / "sheet.png"]]


def label_tiny(folder: Path, given: Path) -> bool:
    teacher, boxes = str(given / TEACHER), given / BOXES
    return label(given / PHOTOS, folder / "out", teacher, threshold=0.0, rotations=2, boxes=boxes)


def labelled(folder: Path) -> list[str]:
    return labels("coco", folder / "out", ("training",))


def model_work(given: Path) -> dict[str, Work]:
    """Return the work by name; `given` has what `write_models` wrote, and a trained run."""
    return {
        "average": Work(partial(average_tiny, given=given), weights),
        "join": Work(partial(join_tiny, given=given), weights),
        "shrink": Work(partial(shrink_tiny, given=given), weights),
        "synthesise-set": Work(partial(synthesise_tiny, given=given), synthesised),
        "sample": Work(partial(sample_tiny, given=given), sampled),
        "label": Work(partial(label_tiny, given=given), labelled),
    }
