"""The studio in narrow and wide windows, and without a mouse."""

import pytest
from studio_users import MARKS, WIDE, User, eventually

pytestmark = MARKS
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CONTROLS = "button, input:not([type=file]), [role=slider], [role=tab]"
TAG = "place => document.elementFromPoint(...place).tagName"
FOCUS = "element => element === document.activeElement"
TOUCHED = """(element, [x, y]) => {
  const top = document.elementFromPoint(x, y);
  return element === top || element.contains(top);
}"""


def is_in_view(user, element, share=0.5) -> bool:
    """Return whether nothing covers a point of an element, at a share of its width and its height."""
    box = element.bounding_box()
    place = [box["x"] + share * box["width"], box["y"] + share * box["height"]]
    return element.evaluate(TOUCHED, place)


def swipe(user, name: str, right: float, down: float) -> None:
    """Drag a handle with a finger on the screen."""
    x, y = user.place(name)
    session = user.tab.context.new_cdp_session(user.tab)
    for kind, share in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0), ("touchEnd", None)):
        points = [] if share is None else [{"x": x + share * right, "y": y + share * down}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.parametrize("window", [PHONE, {"viewport": WIDE}], ids=["phone", "desk"])
def test_image_hand_and_slider_are_in_view_together(browser, studio, window):
    user = User(browser, studio, **window)
    user.changes_image(lambda: (swipe if "has_touch" in window else User.drag)(user, "index", -4, 12))
    sliders = user.tab.get_by_role("slider")
    for slider in (sliders.nth(6), sliders.last):  # the last one needs scrolling
        slider.focus()
        slider.scroll_into_view_if_needed()
        assert is_in_view(user, slider)
        assert all(is_in_view(user, user.image, share) for share in (0.1, 0.5, 0.9))
        for name in ("index", "little", "wrist"):
            assert (
                user.tab.evaluate("at => document.elementFromPoint(...at).tagName", user.place(name))
                == "CANVAS"
            )
        user.changes_image(lambda: user.tab.keyboard.press("ArrowRight"))
    assert user.tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_keyboard_reaches_all_controls(browser, studio):
    user = User(browser, studio)
    user.tab.get_by_role("tab", name="Image").focus()
    for name in ("Hand", "Photo", "Data", "Factors", "Files", "Help"):
        tab = user.tab.get_by_role("tab", name=name)
        for _ in range(12):
            if tab.evaluate(FOCUS):
                break
            user.tab.keyboard.press("Tab")
        assert tab.evaluate(FOCUS)
        user.tab.keyboard.press("Enter")
        eventually(lambda tab=tab: tab.get_attribute("aria-selected") == "true")
        assert user.tab.locator(".tabler-icon-chevron-down:visible").count() == 0  # no key opens a folder
        assert missed(user) == []
        tab.focus()


def missed(user) -> list[str]:
    """Return the visible controls that Tab does not reach, when it goes round the page once."""
    user.tab.evaluate(
        """selector => { window.missed = new Set([...document.querySelectorAll(selector)].filter(
             each => !each.disabled && each.checkVisibility() && each.getClientRects().length)); }""",
        CONTROLS,
    )
    count = user.tab.evaluate("window.missed.size")
    assert count > 8
    for _ in range(count + 8):
        user.tab.evaluate("window.missed.delete(document.activeElement)")
        user.tab.keyboard.press("Tab")
    return user.tab.evaluate("[...window.missed].map(each => each.outerHTML.slice(0, 300))")


def test_sliders_move_and_moves_are_undone_by_keys_alone(browser, studio):
    user = User(browser, studio)
    slider, session = user.tab.get_by_role("slider").nth(6), user.session
    start = session.state.latent["content"]
    slider.focus()
    user.changes_image(lambda: user.tab.keyboard.press("ArrowRight"))
    assert slider.evaluate(FOCUS)
    eventually(lambda: session.steps == (1, 0))
    user.changes_image(lambda: user.tab.keyboard.press("Control+z"))  # while the slider has the focus
    assert session.state.latent["content"].equal(start)
    user.changes_image(lambda: user.tab.keyboard.press("Control+Shift+z"))
    assert not session.state.latent["content"].equal(start)
    user.tab.keyboard.press("Tab")  # the box beside the slider
    user.changes_image(lambda: user.tab.keyboard.press("ArrowUp"))
    button = user.tab.get_by_role("button", name="Undo")
    button.focus()
    user.changes_image(lambda: user.tab.keyboard.press("Enter"))
