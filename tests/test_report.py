"""The report asks for nothing from anywhere, says what it is given, and stages are done once."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from latent_hands import draw
from latent_hands.errors import HandsError
from latent_hands.studies.demo.images import learning_curves
from latent_hands.studies.demo.report import Figure, Page, Section, Table, graph_svg
from latent_hands.studies.demo.stages import Stages

GRAPH = {"pose": ("cpose", "viewpoint"), "rgb": ("cpose", "viewpoint")}
VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Collects tags and attributes, and sees to it that they close in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list):
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list):
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str):
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path: Path) -> Page:
    image = draw.save_image(np.zeros((8, 8, 3), np.uint8), tmp_path / "a.png")
    moving = draw.save_gif([np.zeros((8, 8, 3), np.uint8), np.ones((8, 8, 3), np.uint8)], tmp_path / "b.gif")
    sections = [
        Section("Images", ["a < b"], [Figure(image, "still"), Figure(moving, "moving", side=True)]),
        Section(
            "Numbers", table=Table(["", "EPE"], [["mine", "12.5"]], "in mm"), svg=graph_svg("x", GRAPH, GRAPH)
        ),
        Section("Code", code="latent-hands demo"),
    ]
    return Page("A <title>", "lead", {"millimetres": "12.5"}, sections, "foot")


def test_the_page_is_whole_and_asks_for_nothing(page: Page):
    html = page.html()
    outline = Outline(html)
    assert outline.open == []
    assert not re.search(r"https?:|//[a-z]|@import|<script|<link", html)
    sources = [value for name, value in outline.attributes if name in ("src", "href", "data")]
    assert len(sources) == 2
    assert all(source.startswith(("data:image/png;base64,", "data:image/gif;base64,")) for source in sources)
    assert not re.search(r"url\((?!data:)", html)


def test_text_is_escaped_and_nothing_is_lost(page: Page):
    html = page.html()
    assert "A &lt;title&gt;" in html
    assert "a &lt; b" in html
    for text in (
        "12.5",
        "millimetres",
        "still",
        "moving",
        "in mm",
        "latent-hands demo",
        "z cpose",
        "lead",
        "foot",
    ):
        assert text in html


def test_light_and_dark_are_both_drawn(page: Page):
    assert "prefers-color-scheme:dark" in page.html()


def test_every_arrow_of_the_graph_is_drawn():
    svg = graph_svg("x", GRAPH, {"pose": ("cpose", "viewpoint")})
    assert svg.count('class="infer"') == 4
    assert svg.count('class="generate"') == 2
    assert svg.count("<rect") == 2 + 2 + 1


def test_missing_and_foreign_images_are_told(tmp_path: Path):
    for name, told in (("none.png", "there is no image"), ("a.tiff", "cannot be shown")):
        with pytest.raises(HandsError, match=told):
            Page("t", "l", sections=[Section("s", figures=[Figure(tmp_path / name, "c")])]).html()


def run_stages(folder: Path, settings: int, calls: list[str]) -> list[dict]:
    stages = Stages(folder, 2)

    def work(name: str):
        def act() -> dict:
            calls.append(name)
            (folder / f"{name}.png").touch()
            return {"value": settings}

        return act

    return [stages.run(name, {"s": settings}, [f"{name}.png"], work(name)) for name in ("a", "b")]


def test_stages_are_done_once_and_again_when_anything_before_changed(tmp_path: Path):
    calls: list[str] = []
    first = run_stages(tmp_path, 1, calls)
    assert run_stages(tmp_path, 1, calls) == first == [{"value": 1}] * 2
    assert calls == ["a", "b"]
    (tmp_path / "b.png").unlink()
    run_stages(tmp_path, 1, calls)
    assert calls == ["a", "b", "b"]
    (tmp_path / "a.png").unlink()
    run_stages(tmp_path, 1, calls)
    assert calls == ["a", "b", "b", "a", "b"]
    assert run_stages(tmp_path, 2, calls) == [{"value": 2}] * 2


def test_a_broken_notebook_is_told(tmp_path: Path):
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(HandsError, match=r"demo\.json is broken"):
        Stages(tmp_path, 1)


def test_curves_turn_likelihoods_into_errors(tmp_path: Path):
    lines = [
        {"phase": "disentangle", "update": 50, "log_p_pose": -0.5 * 21 * 0.25, "kl_pose": 3.0, "bound": -1.0},
        {"phase": "embed_rgb", "update": 99, "log_p_rgb": -0.5 * 3 * 64**2 * 100.0, "kl_pose": 2.0},
        {"phase": "embed_rgb", "update": 99, "epe_mm": 3.0},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{")
    panels = learning_curves(path, 64)
    assert panels["3DPose error, mm"] == {"disentangle": ([50], [pytest.approx(20.0)])}
    assert panels["image error, grey levels"] == {"embed rgb": ([99], [pytest.approx(10.0)])}
    assert panels["information, nats"] == {"z pose": ([50, 99], [3.0, 2.0])}
