"""The names of `import latent_hands as lh`: help, completion, examples, and what documents import."""

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

import numpy as np
import PIL.Image
import pytest
import torch
from painted_hands import painted_hands
from tiny_models import ESTIMATION, noise_image, tiny_model

import latent_hands as lh
from latent_hands.data.export.exporting import Exported
from latent_hands.predictor.model import STEPS
from latent_hands.studies.sampling.sampled import Sampled

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/latent_hands/**/*.md")]
OF_THE_CODE = {"conventions.md", "derivation.md", "paper.md"}
"""Documents about the code; all others are for users of the package."""


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


def test_the_package_is_a_command():
    shown = subprocess.run(
        [sys.executable, "-m", "latent_hands", "--version"], capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout.strip()) == (0, f"latent-hands {lh.__version__}")


def test_what_a_session_prints_is_one_line(tmp_path: Path):
    samples = [replace(each, factors={"scene": [0.0] * 999}) for each in painted_hands(tmp_path, 2)]
    hand = tiny_model(ESTIMATION).estimate(lh.HandCrop.open(noise_image()))
    image = np.zeros((64, 64, 3), np.uint8)
    drawn = Sampled(torch.zeros(9, 3, 64, 64), [hand] * 9, {"seed": 1}, {})
    exported = Exported("coco", "mine", None, {"training": ["0"] * 999}, {}, [])
    for shown in (
        *(samples[0], lh.check(samples), lh.HandCrop.open(image), hand, drawn, exported),
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
    yield "Tracker.track", lh.Tracker.track
    for name in ("find", "estimate", "follow", "tracker", "synthesise", "transfer", "swap", "walk", "rotate"):
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
