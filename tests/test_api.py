"""The public interface: `import latent_hands as lh`, its help page, and what each function adds."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jaxtyping
import numpy as np
import PIL.Image
import pytest
import torch
from painted_hands import painted_hands
from registries import register
from tiny_hands import TINY
from tiny_models import ESTIMATION, SYNTHESIS, noise_image, tiny_model

import latent_hands as lh
from latent_hands.data import READERS
from latent_hands.data.export.exporting import Exported
from latent_hands.evaluation.scoring import score_run
from latent_hands.predictor.model import STEPS
from latent_hands.studies.sampling.sampled import Sampled

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/latent_hands/**/*.md")]
OF_THE_CODE = {"conventions.md", "derivation.md", "paper.md"}
"""Documents about the code; all others are for users of the package."""


@pytest.fixture
def as_users_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no shape checks, which users do not have either."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    monkeypatch.chdir(tmp_path)


def test_the_import_does_not_load_torch():
    code = "import sys, latent_hands as lh; assert lh.HandsError; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_editors_and_help_find_every_public_name():
    tree = ast.parse(inspect.getsource(lh))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname or alias.name for node in ast.walk(block) for alias in getattr(node, "names", [])}
    assert typed == set(lh.__all__) - {"__version__", "HandsError"}
    assert dir(lh) == sorted(lh.__all__)
    for name in lh.__all__:
        assert inspect.getdoc(getattr(lh, name))
    with pytest.raises(AttributeError, match="no attribute 'estimat'"):
        lh.estimat  # noqa: B018


def test_every_class_that_a_function_returns_is_a_public_name():
    for name in lh.__all__:
        function = getattr(lh, name)
        if inspect.isfunction(function):
            for kind in inner_types(get_type_hints(function)["return"]):
                if kind.__module__.startswith("latent_hands"):
                    assert getattr(lh, kind.__name__) is kind, name


def inner_types(hint: Any) -> Iterator[type]:
    """Yield the classes of a type hint."""
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for each in get_args(hint):
        yield from inner_types(each)


def test_help_names_every_score(tmp_path: Path):
    scores = lh.evaluate(tiny_model(ESTIMATION), painted_hands(tmp_path, 3))
    named = set(re.findall(r"\w+", inspect.getdoc(lh.Scores) or ""))
    assert set(scores) <= set(get_type_hints(lh.Scores))
    assert {key.removesuffix("_interval") for key in get_type_hints(lh.Scores)} <= named


def test_completion_lists_no_step_of_a_prediction():
    model = tiny_model(ESTIMATION)
    names = {name for name in dir(model) if not name.startswith("_")}
    assert {"find", "estimate", "follow", "save", "vae", "experiment", "device", "infer", "decode"} <= names
    assert not names & STEPS
    assert all(hasattr(model, name) for name in STEPS)


@pytest.mark.usefixtures("as_users_run")
def test_what_is_no_sample_is_named(tmp_path: Path):
    samples = painted_hands(tmp_path, 2)
    for wrong, kind in ((samples[0], "not a Sample"), ("hands", "not a str"), ([1], "has a int")):
        with pytest.raises(lh.HandsError, match=f"samples must be a list of Sample.*{kind}"):
            lh.train("demo_estimation", tmp_path / "run", samples=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match="samples must be a list of Sample"):
        lh.check(samples[0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match="not a Sample; of a Sample, give"):
        tiny_model(ESTIMATION).find(samples[0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        lh.HandsError, match="a run must be a folder or the name of a shipped model, not a Model"
    ):
        lh.export_model(tiny_model(ESTIMATION), tmp_path)  # pyright: ignore[reportArgumentType]


def test_one_hand_is_drawn_like_a_list_of_one():
    image, hand = noise_image(), tiny_model(ESTIMATION).estimate(lh.Photo.open(noise_image()))
    assert np.array_equal(lh.draw_hands(image, hand), lh.draw_hands(image, [hand]))


@pytest.mark.parametrize("progress", [True, False])
def test_progress_is_shown_where_it_is_asked_for(tmp_path: Path, capsys, progress: bool):
    lh.check(painted_hands(tmp_path, 2), progress=progress)
    assert ("2/2" in capsys.readouterr().err) is progress


def test_progress_may_be_a_function(tmp_path: Path):
    received: list[tuple[str, float, float | None]] = []
    lh.check(
        painted_hands(tmp_path, 2),
        progress=lambda work, done, count, text="": received.append((work, done, count)),
    )
    assert received == [("samples", 1, 2), ("samples", 2, 2)]


def test_the_package_is_a_command():
    shown = subprocess.run(
        [sys.executable, "-m", "latent_hands", "--version"], capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout.strip()) == (0, f"latent-hands {lh.__version__}")


def test_what_a_session_prints_is_one_line(tmp_path: Path):
    samples = [replace(each, factors={"scene": [0.0] * 999}) for each in painted_hands(tmp_path, 2)]
    hand = tiny_model(ESTIMATION).estimate(lh.Photo.open(noise_image()))
    image = np.zeros((64, 64, 3), np.uint8)
    drawn = Sampled(torch.zeros(9, 3, 64, 64), {"seed": 1}, {})
    exported = Exported("coco", "mine", None, {"training": ["0"] * 999}, {}, [])
    for shown in (
        *(samples[0], lh.check(samples), lh.Photo.open(image), hand, drawn, exported),
        *(lh.Synthesis(image, hand), lh.Walk([image] * 9, [hand] * 9), tiny_model(ESTIMATION)),
        *(lh.hand_mesh(hand), lh.experiment("synthesis"), lh.Counterfactuals([], [])),
    ):
        assert "\n" not in repr(shown)
        assert len(repr(shown)) < 200


class AnyOutputWhereNoneIsWritten(doctest.OutputChecker):
    """Training prints its progress, which no example writes out."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


@pytest.mark.usefixtures("as_users_run")
def test_examples_of_the_help_page_run():
    examples = doctest.DocTestFinder().find(lh, extraglobs={"lh": lh})
    assert run_examples(examples) > 0


@pytest.mark.usefixtures("as_users_run")
def test_every_public_function_has_examples_that_run(tmp_path: Path):
    pytest.importorskip("onnx")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    photo = "docs/pictures/hand.png"
    model = lh.load("estimation", "cpu")
    samples = [replace(each, convention="rhd") for each in painted_hands(tmp_path, 32)]
    scope = {"lh": lh, "PIL": PIL, "photo": photo, "samples": samples, "model": model}
    scope |= {"hand": model.estimate(photo), "synthesis": lh.load("synthesis", "cpu")}
    lacking = []
    for name, thing in public_functions():
        examples = [e for e in doctest.DocTestFinder().find(thing, name, module=False) if e.examples]
        run_examples([doctest.DocTest(e.examples, {**scope}, e.name, None, None, None) for e in examples])
        lacking += [] if examples else [name]
    assert not lacking


def public_functions() -> Iterator[tuple[str, Any]]:
    """Yield the functions of `lh`, and the methods of a model that predict, recombine or follow hands."""
    yield from ((name, each) for name in lh.__all__ if inspect.isfunction(each := getattr(lh, name)))
    yield "Hand.in_order", lh.Hand.in_order
    for name in ("find", "estimate", "follow", "synthesise", "transfer", "swap", "walk", "rotate"):
        yield f"Model.{name}", getattr(lh.Model, name)


def run_examples(examples: list[doctest.DocTest]) -> int:
    """Run examples, and return how many there were."""
    runner = doctest.DocTestRunner(AnyOutputWhereNoneIsWritten())
    for example in examples:
        runner.run(example)
    assert runner.failures == 0
    return runner.tries


@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if document.name not in OF_THE_CODE],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_documents_import_the_public_interface_only(document: Path):
    for snippet in re.findall(r"```python\n(.*?)```", document.read_text(), flags=re.DOTALL):
        for node in ast.walk(ast.parse(snippet)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert not module.startswith("latent_hands."), f"{document.name} imports {module}"


def test_a_saved_model_loads_as_it_was(tmp_path: Path):
    model, image = tiny_model(ESTIMATION), lh.Photo.open(noise_image())
    folder = model.save(tmp_path / "model")
    again = lh.load(folder, "cpu")
    assert again.experiment == model.experiment
    assert np.array_equal(again.estimate(image).pose, model.estimate(image).pose)
    with pytest.raises(lh.HandsError, match="model is not empty: choose a new folder"):
        model.save(folder)
    (tmp_path / "empty").mkdir()
    assert tiny_model(SYNTHESIS).save(tmp_path / "empty").exists()


def test_sections_and_options_change_an_experiment_alike():
    options = ["--phases.embed_rgb.epochs=2", "--latent.cpose=8", '--training.start_with=["encoders.rgb"]']
    sections = {
        "phases": {"embed_rgb": {"epochs": 2}},
        "latent": {"cpose": 8},
        "training": {"start_with": ("encoders.rgb",)},
    }
    changed = lh.experiment("estimation", **sections)
    assert changed == lh.experiment("estimation", options) != lh.experiment("estimation")
    with pytest.raises(lh.HandsError, match='unknown key "epoch"'):
        lh.experiment("estimation", training={"epoch": 2})


def test_a_file_never_hides_an_experiment_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("estimation").write_text("nonsense")
    assert lh.experiment("estimation").latent
    with pytest.raises(lh.HandsError, match="not valid TOML"):
        lh.experiment(Path("estimation"))


def test_every_experiment_has_a_description():
    assert all(len(text) > 20 and not text.startswith("#") for text in lh.experiments().values())
    assert all(lh.experiment(name).latent for name in lh.experiments())


def test_samples_train_as_they_do_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples = painted_hands(tmp_path, 12)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    options = [
        *TINY,
        "--phases.cross_modal.epochs=1",
        "--phases.cross_modal.batch_size=4",
        "--data.validation_share=0.2",
    ]
    on_disk = lh.experiment("cross_modal", [*options, "--data.name=painted"])
    models = [
        lh.train(on_disk, tmp_path / "disk"),
        lh.train(lh.experiment("cross_modal", options), tmp_path / "memory", samples),
    ]
    first, second = (model.vae.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_validation_samples_need_training_samples(tmp_path: Path):
    with pytest.raises(lh.HandsError, match="validation samples are given without training samples"):
        lh.train("demo_estimation", tmp_path / "run", validation=painted_hands(tmp_path, 2))


def test_samples_are_scored_like_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples, model = painted_hands(tmp_path, 4), tiny_model(ESTIMATION)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    scores = lh.evaluate(model, samples)
    assert scores == score_run(model, samples, "evaluation") == lh.evaluate(model, "painted", tmp_path)
    assert lh.evaluate(model, samples, limit=2)["samples"] == 2
    with pytest.raises(lh.HandsError, match='root is missing: give the folder of the data set "painted"'):
        lh.evaluate(model, "painted")


def test_samples_are_checked_like_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples = painted_hands(tmp_path, 4)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    one, other = lh.check(samples), lh.check("painted", tmp_path, ["training"])
    assert one.counts["samples"] == other.counts["training"]
    assert one.verdicts == other.verdicts
    with pytest.raises(lh.HandsError, match="root is missing"):
        lh.check("painted")
    with pytest.raises(lh.HandsError, match="no samples to examine"):
        lh.check([])


def test_a_sample_is_estimated_by_its_labels(tmp_path: Path):
    model, (sample,) = tiny_model(ESTIMATION), painted_hands(tmp_path, 1, "r")
    hand = model.estimate(sample)
    assert (hand.handedness, hand.bone_mm) == ("right", pytest.approx(40, rel=1e-3))
    with pytest.raises(lh.HandsError, match=r"bone_mm is 30\.0, but a Sample brings its own"):
        model.estimate(sample, bone_mm=30.0)
    with pytest.raises(lh.HandsError, match="handedness is right, but a Sample brings its own"):
        model.estimate(sample, handedness="right")


def test_swaps_and_walks_give_images_and_hands():
    model, a, b = tiny_model(SYNTHESIS), noise_image(seed=1), noise_image(seed=2)
    swapped, walk = model.swap(a, b, ["pose"]), model.walk("pose", a, b, 3)
    assert isinstance(swapped, lh.Synthesis)
    assert isinstance(walk, lh.Walk)
    assert np.abs(walk.images[-1].astype(int) - swapped.image).max() <= 1
    assert np.allclose(walk.hands[-1].pose, swapped.hand.pose, atol=1e-5)
    assert all(hand.handedness == "left" and hand.bone_mm_assumed for hand in walk.hands)
    assert tiny_model(ESTIMATION).swap(a, b, ["viewpoint"]).image is None


def test_sections_of_an_experiment_take_the_values_that_python_has():
    made = lh.experiment(
        "demo_estimation",
        data={"root": Path("hands"), "margin": np.float32(2)},
        training={"epochs": np.int64(3)},
        algorithm={"embed": np.array(["rgb", "pose"])},
    )
    assert (made.data.root, made.data.margin, made.training.epochs) == ("hands", 2.0, 3)
    assert made.algorithm.embed == ("rgb", "pose")
    with pytest.raises(lh.HandsError, match=r"data.root is None, which is not a number"):
        lh.experiment("demo_estimation", data={"root": None})


def test_an_empty_table_of_an_experiment_replaces_a_full_one():
    full = ["--objectives.agreement={pose=1.0}"]
    assert lh.experiment("estimation", full).objectives == {"agreement": {"pose": 1.0}}
    assert lh.experiment("estimation", full, objectives={"agreement": {}}).objectives == {"agreement": {}}


def test_one_split_is_checked_by_its_name(tmp_path, monkeypatch):
    samples = {"training": painted_hands(tmp_path, 3), "evaluation": painted_hands(tmp_path, 2)}
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[split])
    for split, counts in (("evaluation", [2]), (("training", "evaluation"), [3, 2])):
        report = lh.check("painted", tmp_path, split)
        assert [each["samples"] for each in report.counts.values()] == counts


def test_a_limit_below_1_is_refused(tmp_path):
    samples = painted_hands(tmp_path, 3)
    for limit in (0, -1):
        with pytest.raises(lh.HandsError, match=f"limit is {limit}; it must be at least 1"):
            lh.check(samples, limit=limit)
        with pytest.raises(lh.HandsError, match=f"limit is {limit}; it must be at least 1"):
            lh.evaluate(tiny_model(ESTIMATION), samples, limit=limit)


def test_the_current_folder_is_a_run_folder(tmp_path, monkeypatch):
    tiny_model(ESTIMATION).save(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    assert lh.load(".").experiment == lh.load(tmp_path / "run").experiment


def test_one_factor_is_swapped_by_its_name():
    model, (first, second) = tiny_model(SYNTHESIS), (noise_image(seed=0), noise_image(seed=1))
    one, listed = (model.swap(first, second, factors).image for factors in ("content", ["content"]))
    assert (one == listed).all()


def test_a_validation_share_that_leaves_no_training_samples_is_refused(tmp_path):
    share = lh.experiment("demo_estimation", TINY, data={"validation_share": 0.5})
    with pytest.raises(lh.HandsError, match="leaves none of 1 samples to train on"):
        lh.train(share, tmp_path / "run", painted_hands(tmp_path, 1))
