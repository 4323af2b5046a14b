"""The layout of a window as narrow as a phone, where viser shows all panels in one sheet at the bottom.

The image would be below the controls. So it is placed above the sheet, beside the hand, where it stays while
the user scrolls to a slider. viser has no setting for this: the rules name its elements.
"""

from typing import Any

SHEET = 0.6
"""The part of the window's height that viser's sheet may cover."""
LAYOUT = f"""
<style id="latent-hands-narrow">
@media (max-width: 36em) {{  /* viser's own limit */
  /* the image follows this element */
  div:has(> #latent-hands-narrow) + div {{
    position: fixed; top: {50 * (1 - SHEET):.0f}vh; left: 0; width: min(50vw, {100 * (1 - SHEET):.0f}vh);
    transform: translateY(-50%);
  }}
  /* the scene */
  div:has(> canvas + div) {{ inset: 0 0 {SHEET:.0%} 50% !important; }}
  /* the sheet */
  .mantine-Paper-root:has(#latent-hands-narrow),
  .mantine-Paper-root:has(#latent-hands-narrow) .mantine-ScrollArea-content > div {{
    width: 100% !important;
  }}
}}
</style>
"""


def place_next_image(gui: Any) -> None:
    """Place the image that is added next above the sheet of a narrow window."""
    gui.add_html(LAYOUT)
