"""The report page is well-formed and self-contained, and the stages of the demo run once."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from latent_hands import draw
from latent_hands.errors import HandsError
from latent_hands.studies.demo.images import learning_curves
from latent_hands.studies.demo.page import Figure, Page, Section, Table, graph_svg
from latent_hands.studies.demo.stages import Stages

GRAPH = {"pose": ("cpose", "viewpoint"), "rgb": ("cpose", "viewpoint")}
VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Collect the attributes and the text of a page, and check that tags close in order."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list):
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list):
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str):
        assert self.open.pop() == tag

    def handle_data(self, data: str):
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


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


IMAGE = re.compile(r'src="data:image/(?:png|gif);base64,([^"]*)"')


def images_of(html: str) -> list[bytes]:
    """Return the images of a page, after checks that it is well-formed and loads nothing from elsewhere."""
    assert Outline(html).open == []
    rest = IMAGE.sub("", html)
    links = r"https?:|//[a-z]|@import|<script|<link|<iframe|src|href|poster|action|<object|url\((?!data:)"
    assert not re.search(links, rest)
    return [base64.b64decode(image, validate=True) for image in IMAGE.findall(html)]


def test_the_page_is_well_formed_and_embeds_every_figure(page: Page):
    figures = [figure.path.read_bytes() for section in page.sections for figure in section.figures]
    assert len(figures) == 2
    assert images_of(page.html()) == figures


HOSTILE = '<img src="https://x"> & "quoted"'


def test_all_text_is_escaped_and_present(page: Page):
    image = page.sections[0].figures[0].path
    section = Section(
        f"title {HOSTILE}",
        [f"paragraph {HOSTILE}"],
        [Figure(image, f"caption {HOSTILE}")],
        Table([f"heading {HOSTILE}"], [[f"row {HOSTILE}"]], f"table {HOSTILE}"),
        graph_svg("graph", {f"read {HOSTILE}": (f"factor {HOSTILE}",)}, {}),
        f"code {HOSTILE}",
    )
    cards = {f"label {HOSTILE}": f"value {HOSTILE}"}
    html = Page(f"page {HOSTILE}", f"lead {HOSTILE}", cards, [section], f"foot {HOSTILE}").html()
    outline = Outline(html)
    assert HOSTILE not in html
    assert len(outline.values("src")) == 1
    assert f"caption {HOSTILE}" in outline.values("alt")
    places = "page lead label value title paragraph caption heading row table read factor code foot"
    for place in places.split():
        assert f"{place} {HOSTILE}" in outline.text


def test_the_page_has_a_light_and_a_dark_style(page: Page):
    assert "prefers-color-scheme:dark" in page.html()


def test_every_arrow_of_the_graph_is_drawn():
    svg = graph_svg("x", GRAPH, {"pose": ("cpose", "viewpoint")})
    assert svg.count('class="infer"') == 4
    assert svg.count('class="generate"') == 2
    assert svg.count("<rect") == 2 + 2 + 1


def test_missing_images_and_other_formats_are_refused(tmp_path: Path):
    for name, error in (("none.png", "no image at"), ("a.tiff", "is no image of a page")):
        with pytest.raises(HandsError, match=error):
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


def test_stages_run_once_and_again_after_any_earlier_change(tmp_path: Path):
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


def test_a_broken_demo_json_is_refused(tmp_path: Path):
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(HandsError, match=r"demo\.json is broken"):
        Stages(tmp_path, 1)


def test_curves_convert_likelihoods_to_errors(tmp_path: Path):
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
