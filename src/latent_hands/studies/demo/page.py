"""A self-contained HTML page: sections of text, tables and images. The images are embedded."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from latent_hands.errors import HandsError, did_you_mean

TYPES = {".png": "image/png", ".gif": "image/gif"}


@dataclass(frozen=True)
class Figure:
    """An image file (.png, .gif) and its caption. `side` puts it next to its neighbour."""

    path: Path
    caption: str
    side: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text, with one heading per column. The first column names the rows."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A section. `text` has paragraphs, `code` commands to copy, `svg` a drawing."""

    title: str
    text: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: Table | None = None
    svg: str = ""
    code: str = ""


@dataclass(frozen=True)
class Page:
    """A page: title, introduction, cards {label: key number}, sections and footer."""

    title: str
    lead: str
    cards: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    foot: str = ""

    def html(self) -> str:
        """Return the whole page, which loads nothing from elsewhere.

        Raises HandsError for a missing image.
        """
        cards = "".join(
            f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
            for name, value in self.cards.items()
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style></head><body><main>"
            f'<header><h1>{escape(self.title)}</h1><p class="lead">{escape(self.lead)}</p>'
            f'<div class="cards">{cards}</div></header>'
            f"{''.join(_section(number, section) for number, section in enumerate(self.sections, 1))}"
            f"<footer>{escape(self.foot)}</footer></main></body></html>\n"
        )


def _section(number: int, section: Section) -> str:
    parts = [f'<section><h2><span class="number">{number}</span>{escape(section.title)}</h2>']
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in section.text]
    parts += [f'<div class="panel drawing">{section.svg}</div>'] if section.svg else []
    parts += [_table(section.table)] if section.table else []
    if section.figures:
        parts.append(f'<div class="figures">{"".join(_figure(figure) for figure in section.figures)}</div>')
    parts += [f"<pre>{escape(section.code)}</pre>"] if section.code else []
    return "".join(parts) + "</section>"


def _figure(figure: Figure) -> str:
    kind = figure.path.suffix.lower()
    if kind not in TYPES:
        raise HandsError(f"{figure.path} is no image of a page; {did_you_mean(kind, TYPES)}")
    if not figure.path.is_file():
        raise HandsError(f"no image at {figure.path}")
    data = base64.b64encode(figure.path.read_bytes()).decode()
    caption = escape(figure.caption)
    return (
        f'<figure class="{"side" if figure.side else "wide"}">'
        f'<div class="panel"><img alt="{caption}" src="data:{TYPES[kind]};base64,{data}"></div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in table.headings)
    rows = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(text)}</td>' for text in rest)}</tr>"
        for first, *rest in table.rows
    )
    caption = f"<figcaption>{escape(table.caption)}</figcaption>" if table.caption else ""
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll"><table>{body}</table></div>{caption}'


def graph_svg(
    title: str, encoders: Mapping[str, Sequence[str]], decoders: Mapping[str, Sequence[str]]
) -> str:
    """Draw a bipartite graph: observed modalities, latent factors, generated modalities.

    `encoders` and `decoders` map a modality to its factors. Red arrows infer and grey arrows generate, as in
    Fig. 2 of the paper.
    """
    factors = list(dict.fromkeys(f for each in (*encoders.values(), *decoders.values()) for f in each))
    columns = [list(encoders), factors, list(decoders)]
    step, rows = 54, max(len(column) for column in columns)
    height = rows * step + 34
    middle = [
        {name: 34 + step * ((rows - len(c)) / 2 + i + 0.5) for i, name in enumerate(c)} for c in columns
    ]
    x = (90.0, 330.0, 570.0)
    parts = [
        f'<text class="head" x="{cx}" y="18">{text}</text>'
        for cx, text in zip(x, (f"{title}: observed", "latent factors", "generated"), strict=True)
    ]
    for name, read in encoders.items():
        parts += [_arrow("infer", x[0] + 62, middle[0][name], x[1] - 66, middle[1][f]) for f in read]
    for name, read in decoders.items():
        parts += [_arrow("generate", x[1] + 62, middle[1][f], x[2] - 66, middle[2][name]) for f in read]
    for place, (cx, column) in enumerate(zip(x, middle, strict=True)):
        parts += [_node(name, cx, cy, "factor" if place == 1 else "modality") for name, cy in column.items()]
    return (
        f'<svg viewBox="0 0 660 {height}" role="img" aria-label="the model as a graph">{"".join(parts)}</svg>'
    )


def _arrow(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (x1 + x2) / 2
    return (
        f'<path class="{kind}" d="M{x1:.0f} {y1:.0f} C{bend:.0f} {y1:.0f} '
        f'{bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"/>'
        f'<path class="{kind} tip" d="M{x2 + 4:.0f} {y2:.0f} l-8 -4 v8 z"/>'
    )


def _node(name: str, cx: float, cy: float, kind: str) -> str:
    text = f"z {name}" if kind == "factor" else name
    return (
        f'<rect class="{kind}" x="{cx - 60:.0f}" y="{cy - 17:.0f}" width="120" height="34" '
        f'rx="{17 if kind == "factor" else 6}"/><text x="{cx:.0f}" y="{cy + 5:.0f}">{escape(text)}</text>'
    )


STYLE = """
:root{color-scheme:light dark;--ink:#23262b;--soft:#646a73;--paper:#fbfbf9;--panel:#fff;--rule:#e3e3de;
--accent:#2563d9;--red:#d42f3a}
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e4;--soft:#a2a7af;--paper:#17181b;--panel:#202226;
--rule:#363940;
--accent:#7aa5ff;--red:#ff7a80}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
main{max-width:1080px;margin:0 auto;padding:48px 24px 64px}
h1{font-size:34px;line-height:1.2;letter-spacing:-.02em;margin:0 0 12px}
h2{font-size:22px;letter-spacing:-.01em;margin:56px 0 12px;display:flex;align-items:center;gap:12px}
.number{font-size:14px;width:28px;height:28px;border-radius:14px;background:var(--accent);color:var(--paper);
display:inline-flex;align-items:center;justify-content:center;flex:none}
p{max-width:72ch;margin:0 0 12px}.lead{font-size:19px;color:var(--soft)}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:24px 0 0}
.card{flex:1 1 190px;background:var(--panel);border:1px solid var(--rule);border-radius:12px;
padding:16px 18px}
.card b{display:block;font-size:26px;line-height:1.2;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:14px;line-height:1.4;display:block;margin-top:4px}
.figures{display:flex;flex-wrap:wrap;gap:20px;margin-top:16px}
figure{margin:0;flex:1 1 100%;min-width:0}figure.side{flex:1 1 380px}
.panel{background:#fff;border:1px solid var(--rule);border-radius:12px;padding:14px;overflow-x:auto;
text-align:center}
.drawing{background:var(--panel);margin:16px 0}
img{max-width:100%;height:auto;display:block;margin:0 auto}
figcaption{color:var(--soft);font-size:14px;margin-top:8px;max-width:90ch}
.scroll{overflow-x:auto;margin-top:16px}table{border-collapse:collapse;font-variant-numeric:tabular-nums;
width:100%}
th,td{text-align:right;padding:8px 14px;border-bottom:1px solid var(--rule);font-weight:400}
th:first-child{text-align:left}thead th{color:var(--soft);font-size:14px;border-bottom:2px solid var(--rule)}
pre{background:var(--panel);border:1px solid var(--rule);border-radius:12px;padding:14px 18px;overflow-x:auto;
font:14px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
svg{max-width:640px;width:100%;height:auto}svg text{font-size:15px;text-anchor:middle;fill:var(--ink)}
svg .head{font-size:13px;fill:var(--soft)}svg rect{fill:var(--paper);stroke:var(--rule);stroke-width:1.5}
svg .factor{stroke:var(--accent)}svg path{fill:none;stroke:var(--soft);stroke-width:1.6}
svg .infer{stroke:var(--red)}svg .tip{fill:var(--soft);stroke:none}svg .infer.tip{fill:var(--red)}
footer{margin-top:56px;color:var(--soft);font-size:14px}
"""
