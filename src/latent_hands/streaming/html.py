"""The text of the page: an image, and lines about it."""

import base64
import hashlib
from html import escape

STYLE = """
body { margin: 0; background: #14181c; color: #e6e9ec; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 12px; }
h1 { font-size: 18px; margin: 0 0 8px; }
img { width: 100%; background: #000; display: block; min-height: 120px; }
p { margin: 8px 0 0; font-variant-numeric: tabular-nums; }
.left { color: #5ab0f5; }
.right { color: #f5a050; }
"""
SCRIPT = """
const rates = document.getElementById("rates"), hands = document.getElementById("hands");
function line(hand) {
  const row = document.createElement("div");
  row.className = hand.handedness;
  row.textContent = `${hand.handedness} hand #${hand.track}` +
    (hand.confidence === null ? "" : `, confidence ${hand.confidence.toFixed(2)}`);
  return row;
}
async function look() {
  try {
    const s = await (await fetch("status")).json();
    if (s.frames) {
      rates.textContent = `${s.fps.toFixed(1)} frames/s, latency ${s.latency_ms.toFixed(0)} ms, ` +
        `${s.frames} frames, ${s.dropped} dropped, time ${s.seconds.toFixed(1)} s` +
        (s.recording ? `, recording ${s.recording}` : "");
      hands.replaceChildren(...s.hands.map(line));
    }
    setTimeout(look, 250);
  } catch { rates.textContent += " (ended)"; }
}
look();
"""


def html(title: str) -> str:
    """Return the page. Its image comes from `stream` and its numbers from `status`, beside it."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<img src="stream" alt="The newest frame with its hands">
<p id="rates">waiting for the first frame</p>
<p id="hands"></p>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    """Return a text's hash, as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src {_hash(STYLE)}; "
    f"script-src {_hash(SCRIPT)}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The permissions of the page: its own style and script, and nothing from elsewhere."""
