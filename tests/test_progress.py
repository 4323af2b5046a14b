"""Progress bars: one for each named work, with amounts; nothing is printed without progress."""

import io

import pytest
from rich.console import Console

from latent_hands.progress import messages, progress_bars, renamed, say, shown, silent


def printed(*steps: tuple) -> str:
    """The last state of the bars after these steps."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    with progress_bars(console) as advance:
        for step in steps:
            advance(*step)
    return console.file.getvalue()


def test_each_work_has_a_bar_with_its_amount():
    text = printed(("reading", 1, 4), ("cutting", 2, 3), ("reading", 3, 4))
    assert [line.split()[0] for line in text.splitlines()] == ["reading", "cutting"]
    assert "3/4" in text
    assert "2/3" in text


def test_the_number_of_all_items_may_be_unknown():
    assert "3/?" in printed(("reading", 1, None), ("reading", 3, None))


def test_shares_are_shown_in_percent():
    assert " 25 %" in printed(("phase", 0.25, 1.0))


def test_a_text_stays_until_it_is_replaced():
    text = printed(("a", 1, 3, "first"), ("a", 2, 3), ("b", 1, 3, "old"), ("b", 2, 3, "new"))
    assert "first" in text
    assert "new" in text
    assert "old" not in text


def test_names_are_printed_as_they_are():
    assert "[red]x" in printed(("[red]x", 1, 2, "[bold]y"))


def test_without_progress_nothing_is_printed(capsys: pytest.CaptureFixture):
    assert printed() == ""
    with shown(False) as advance:
        advance("a", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_progress_is_true_or_false_or_a_function(capsys: pytest.CaptureFixture):
    with shown(True) as advance:
        advance("a", 1, 2)
    assert "1/2" in capsys.readouterr().err
    with shown(silent) as advance:
        assert advance is silent


def test_a_part_counts_in_the_whole():
    received = []
    part = renamed(lambda *at: received.append(at), "all", 3, 5)
    part("part", 1, 2)
    part("part", 2, 2, "last")
    assert received == [("all", 4, 5, ""), ("all", 5, 5, "last")]


def test_names_are_printed_as_they_are_and_without_commands_to_the_terminal():
    stream = io.StringIO()
    say(messages(stream), "runs/[bold]a[/]:hand:\x1b[2J\udce9", "bold")
    assert stream.getvalue() == "runs/[bold]a[/]:hand:\\x1b[2J\\udce9\n"
    assert "cutting [red]\\x07" in printed(("cutting [red]\x07", 1, 3))
