"""Check the HTML of a site: links and anchors lead somewhere, and pages request nothing from elsewhere."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REQUESTS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Tags that make a browser request a file, and the attribute with its address."""


@dataclass
class Page(HTMLParser):
    """The anchors, links and requests of one page."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Read the page."""
        super().__init__()
        text = self.path.read_text(encoding="utf-8")
        self.requests.update(re.findall(r"""(?:url\(|@import )\s*["']?(https?:[^"')]+)""", text))
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes of a tag that name anchors or addresses."""
        values = {name: value for name, value in attrs if value}
        self.anchors.update(value for name, value in values.items() if name in ("id", "name"))
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag in REQUESTS and REQUESTS[tag] in values and values.get("rel") != "canonical":
            self.requests.add(values[REQUESTS[tag]])


def problems(site: Path) -> list[str]:
    """Return one line for each broken link, missing anchor and request to another host."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    found = []
    for page in pages.values():
        name = page.path.relative_to(site)
        for address in sorted(page.links | page.requests):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.requests and parts.scheme != "data":
                    found.append(f"{name} requests {address}")
                continue
            target = page.path.parent / unquote(parts.path) if parts.path else page.path
            target = (target / "index.html" if target.is_dir() else target).resolve()
            if not target.exists():
                found.append(f"{name} links to {address}, which does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name} links to {address}, but that page has no such anchor")
    styles = [path for path in site.rglob("*.css") if re.search(r"url\(\s*[\"']?https?:", path.read_text())]
    return found + [f"{path.relative_to(site)} requests another host" for path in styles]
