import csv
import dataclasses
import io
import json

import pytest
from rendering import render
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.leaderboard.comparison import Comparison, compare
from plismbench.reporting.comparison import comparison_parts
from plismbench.reporting.printing import TableFormat

SLIDES = tuple(
    Slide(staining, scanner)
    for staining in ("GIV", "GM", "GV", "HR", "KR", "MY")
    for scanner in ("AT2", "GT450", "P", "S210", "S60", "SQ")
)


def comparison(first="a", second="b", slides=SLIDES):
    results = [make_result(first, 0.6, slides), make_result(second, 0.5, slides, seed=1)]
    return compare(results, [first, second])[0]


def rendered(found):
    return render(*comparison_parts([found], TableFormat.TABLE))


def test_a_zero_has_no_two_signs():
    (pairwise,) = comparison().pairwise
    first, *others = pairwise.differences
    zero = dataclasses.replace(first, low=-0.0, high=0.0)
    text = rendered(Comparison("s", (dataclasses.replace(pairwise, differences=(zero, *others)),)))
    assert ".000 to .000" in text


def signed(value):
    return f"{value:+.3f}".replace("0.", ".", 1)


def test_the_terminal_shows_differences_test_and_contrasts():
    found = comparison()
    (pairwise,) = found.pairwise
    signature, *lines = [line for line in rendered(found).splitlines() if line]
    assert signature.startswith("plism@main|slides:36")
    assert lines[0] == "a against b"
    score = pairwise.differences[0]
    assert lines[2].split() == ["score", *(f"{value:.3f}".removeprefix("0") for value in (score.first, score.second)),
                                signed(score.value), signed(score.low), "to", signed(score.high),
                                signed(score.slide_low), "to", signed(score.slide_high)]  # fmt: skip
    assert f"Better in {pairwise.n_better} of 6 cores" in " ".join(lines)
    assert f"p = {pairwise.p_value:.2g}, after Holm {pairwise.corrected:.2g}." in " ".join(lines)
    assert "top-10, scanners" in " ".join(lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("table_format", [TableFormat.MARKDOWN, TableFormat.HTML, TableFormat.LATEX])
def test_documents_have_the_same_numbers(table_format):
    found = comparison()
    text = comparison_parts([found], table_format)[0]
    for difference in found.pairwise[0].differences:
        assert signed(difference.value) in text
    assert found.signature.split("|")[0] in text
    assert "a against b" in text


def test_as_data_with_every_digit():
    found = comparison()
    told = json.loads(comparison_parts([found], TableFormat.JSON)[0])
    assert told["schema"] == "plismbench.comparison/1"
    (pairwise,) = told["comparisons"][0]["pairwise"]
    assert pairwise["p_value"] == found.pairwise[0].p_value
    assert [row["difference"] for row in pairwise["differences"]] == [
        row.value for row in found.pairwise[0].differences
    ]
    assert pairwise["contrasts"] == found.pairwise[0].contrasts.to_dicts()
    lines = list(csv.DictReader(io.StringIO(comparison_parts([found], TableFormat.CSV)[0])))
    assert [float(line["low"]) for line in lines] == [row.low for row in found.pairwise[0].differences]
    assert {(line["first_model"], line["second_model"]) for line in lines} == {("a", "b")}


def test_names_of_others_do_no_harm():
    (pairwise,) = comparison().pairwise
    found = Comparison("s", (dataclasses.replace(pairwise, first="<script>[bold]\x1b", second="n" * 200),))
    parts = comparison_parts([found], TableFormat.TABLE)
    assert any(part.endswith("against " + "n" * 200) for part in parts if isinstance(part, str))
    assert "\x1b" not in rendered(found)
    assert "<script>[bold]" in rendered(found)
    assert "<script>" not in comparison_parts([found], TableFormat.HTML)[0]
    assert "<script>" not in comparison_parts([found], TableFormat.MARKDOWN)[0]


def test_what_is_not_defined_is_a_dash():
    one = tuple(Slide("GM", scanner) for scanner in ("AT2", "P", "S60", "SQ"))
    text = rendered(comparison(slides=one))
    assert "Nothing is tested: it takes 6 cores with a score; got 0." in text
    assert next(line for line in text.splitlines() if line.startswith("score")).split()[1:] == ["–"] * 4
    assert "top-10, stainings" not in text
    assert "by slide" not in text  # four scanners give no interval: no empty column
    assert "by slide" not in comparison_parts([comparison(slides=one)], TableFormat.MARKDOWN)[0]
    assert "by slide" in rendered(comparison())
