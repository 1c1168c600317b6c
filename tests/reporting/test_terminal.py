import pytest
from rendering import render

from plismbench.reporting.printing import Cell, Emphasis
from plismbench.reporting.terminal import TerminalTable

COLUMNS = {"#": "right", "model": "name", "score": "right", "": "bar", "licence": "left"}
ROWS = [["1", "efficientnet-lite0-and-more", ".541", "███", "Apache-2.0"], ["10", "uni", ".5", "██", "MIT"]]


@pytest.mark.parametrize(
    ("width", "headings", "name"),
    [
        (60, ["#", "model", "score", "licence"], "efficientnet-lite0-and-more"),
        (52, ["#", "model", "score", "licence"], "efficientne…te0-and-more"),
        (44, ["#", "model", "score"], "efficientnet-lite0-and-more"),
        (34, ["#", "model", "score"], "efficientne…e0-and-more"),
        (20, ["#", "model", "score"], "effi…more"),
    ],
)
def test_columns_go_first_and_then_the_middles_of_names(width, headings, name):
    lines = render(TerminalTable(COLUMNS, ROWS, dispensable=["licence", ""]), width=width).splitlines()
    assert len(lines) == 3  # nothing is folded
    assert max(map(len, lines)) <= width
    assert lines[0].split() == headings
    assert lines[1].split()[1] == name
    assert ("███" in lines[1]) == (width >= 44)


def test_a_column_that_may_not_go_makes_a_longer_line_and_no_fold():
    lines = render(TerminalTable(COLUMNS, ROWS, caption="below"), width=20).splitlines()
    assert lines[0].split() == ["#", "model", "score", "licence"]
    assert lines[1].split() == ["1", "eff…more", ".541", "███", "Apache-2.0"]
    assert lines[2:] == ["10  uni          .5  ██   MIT       ", "below"]
    words = TerminalTable({"term": "left", "score": "right"}, [["top-10, scanner", ".5"]])
    assert render(words, width=10).splitlines() == ["term             score", "top-10, scanner     .5"]


def test_numbers_stay_whole_where_names_are_long():
    lines = render(TerminalTable({"model": "name", "score": "right"}, [["x" * 200, ".541"]]), width=20).splitlines()
    assert lines[1] == "xxxxxx…xxxxxx   .541"
    assert render(TerminalTable({"model": "name"}, [["x" * 200]]), width=200).splitlines()[1] == "x" * 200


def test_checkpoints_of_one_run_stay_apart_however_narrow_the_terminal():
    names = [
        f"hospital-group/a-very-long-model-name-of-checkpoint-{n}-of-the-training-run-ema@0.9999" for n in range(12)
    ]
    for width in (12, 24, 30):
        lines = render(
            TerminalTable({"model": "name", "n": "right"}, [[name, "1"] for name in names]), width=width
        ).splitlines()
        assert len(set(lines)) == 1 + len(names)
        assert max(map(len, lines)) <= width


def test_names_are_text_and_emphasis_is_style():
    rows = [[Cell("[bold]\x1b[2J", Emphasis.BEST), "1"], ["猫" * 30, "2"]]
    table = TerminalTable({"model": "name", "n": "right"}, rows, caption="below")
    lines = render(table, width=30).splitlines()
    assert lines[1].split() == ["[bold]�[2J", "1"]
    assert lines[-1].strip() == "below"
    styled = render(table, width=30, force_terminal=True, color_system="standard").splitlines()
    assert any("\x1b[1m[bold]" in line for line in styled)
