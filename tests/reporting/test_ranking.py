import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rendering import render
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.errors import UnknownName
from plismbench.leaderboard.leaderboard import Leaderboard, LeaderboardRow, leaderboards, published
from plismbench.reporting.printing import TableFormat
from plismbench.reporting.ranking import COLUMNS, leaderboard_parts, leaderboard_table, notes, sorted_board


def test_the_published_table_fits_80_columns():
    lines = render(leaderboard_table(published())).splitlines()
    assert len(lines) == 16
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["1", "h0-mini", ".541", "███", ".800", ".864", ".318", ".183", ".455", "1×"]
    assert lines[8].split()[:3] == ["8=", "uni", ".325"]


def test_a_terminal_has_the_signature_above_each_table_and_the_notes_below():
    board = replace(published(), signature="here\x1b")
    parts = leaderboard_parts([board, published()], TableFormat.TABLE)
    words = [part for part in parts if isinstance(part, str)]
    assert words == ["here�", *notes(board), published().signature, *notes(published())]


def test_a_table_of_results_with_undefined_terms():
    one = [Slide("GM", scanner) for scanner in ("AT2", "P", "S60")]
    (board,) = leaderboards([make_result(slides=one)])
    text = render(leaderboard_table(board))
    assert text.splitlines()[1].split()[:3] == ["–", "toy", "–"]
    assert "–" in leaderboard_parts([board], TableFormat.MARKDOWN)[0]


def test_csv_and_json_keep_every_digit():
    boards = leaderboards([make_result("a", 0.4), make_result("b", 0.6), make_result("c", n_tiles=460)])
    told = json.loads(leaderboard_parts(boards, TableFormat.JSON)[0])
    assert told["schema"] == "plismbench.leaderboard/1"
    lines = list(csv.DictReader(io.StringIO(leaderboard_parts(boards, TableFormat.CSV)[0])))
    assert len(lines) == 3
    for board, back in zip(boards, told["boards"], strict=True):
        assert back["signature"] == board.signature
        for row, values in zip(board.rows, back["rows"], strict=True):
            assert (values["name"], values["score"], values["cosine"]) == (row.name, row.score, row.cosine)
            line = next(line for line in lines if line["name"] == row.name)
            assert float(line["score"]) == row.score
            assert line["signature"] == board.signature


def test_ranks_that_cannot_be_told_apart_are_a_range():
    boards = leaderboards([make_result("a", 0.5), make_result("b", 0.5, seed=1), make_result("c", 0.1)])
    lines = render(leaderboard_table(boards[0])).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["1–2", "1–2", "3"]
    assert lines[0].split()[3:8] == ["95", "%", "CI", "cosine", "random"]
    assert max(map(len, lines)) <= 80
    row = boards[0].rows[0]
    assert f"{row.score_low:.2f}–{row.score_high:.2f}".replace("0.", ".") in lines[1]


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "\x1b[2J", "<script>", "x" * 200])
def test_names_of_others_do_no_harm(name):
    row = LeaderboardRow(name=name, title=name, cosine=1.0, top10_cross_scanner=0.0, top10_cross_staining=0.0,
                         top10_cross_both=0.0, rank=1)  # fmt: skip
    board = Leaderboard("signature", (row,))
    text = render(leaderboard_table(board))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    if name.startswith("[bold]"):
        assert name in text
    assert "<script>" not in leaderboard_parts([board], TableFormat.MARKDOWN)[0]
    assert json.loads(leaderboard_parts([board], TableFormat.JSON)[0])["boards"][0]["rows"][0]["name"] == name


def row(name, score=0.5, **facts):
    terms = dict.fromkeys(("cosine", "top10_cross_scanner", "top10_cross_staining", "top10_cross_both"), score)
    return LeaderboardRow(**{"name": name, "title": name, "rank": 1} | terms | facts)


def cells(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_every_column_shows_what_its_row_knows():
    board = Leaderboard("s", (row("toy", 0.5, top10_cross_both=0.2, random_cosine=0.25, cosine_lift=0.1, score_low=0.41,
                                  score_high=0.61, n_params=85_700_000, license="MIT", trained_on_plism=True,
                                  relative_time=2.1),))  # fmt: skip
    headings, _, found = cells(leaderboard_parts([board], TableFormat.MARKDOWN, list(COLUMNS))[0])
    assert dict(zip(headings, found, strict=True)) == {
        "#": "1", "model": "toy †", "score": ".425", "95 % CI": ".41–.61", "cosine": ".500", "lift": ".100",
        "random": ".250", "scanner": ".500", "staining": ".500", "both": ".200", "retrieval": ".400",
        "params": "85.7 M", "licence": "MIT", "time": "2.1×",
    }  # fmt: skip
    assert notes(board) == ["† trained on PLISM"]
    little = replace(board, rows=(*board.rows, row("other"), row("none", None)))
    assert notes(little)[1:] == [
        "Too little tissue for intervals: they take 6 cores, or 144 tiles. Ranks are not tested."
    ]
    known = replace(board, chance=10 / 919, timed_on="one T4")
    assert notes(known)[1:] == [
        "Scanner, staining, both: top-10 accuracy, by chance .0109.", "Time a tile, H0-mini = 1: on one T4.",
    ]  # fmt: skip
    assert sorted_board(known, "params").chance == 10 / 919
    assert render(leaderboard_table(board, ["model", "time"])).split() == [
        "#",
        "model",
        "time",
        "1",
        "toy",
        "†",
        "2.1×",
    ]


def test_documents_leave_out_what_no_row_knows():
    headings, *_ = cells(leaderboard_parts([Leaderboard("s", (row("a"),))], TableFormat.MARKDOWN)[0])
    assert headings == ["#", "model", "score", "cosine", "scanner", "staining", "both", "retrieval"]


def test_the_published_table_says_that_it_is_and_knows_sizes_and_times():
    note, chance, time = notes(published())
    assert note.startswith("Published by plism-benchmark")
    assert chance.endswith("by chance .0006.")
    assert "one T4" in time
    text = leaderboard_parts([published()], TableFormat.MARKDOWN)[0]
    assert note in text
    found = {line[1]: line for line in cells(text)}
    assert found["h0-mini"][-3:] == ["85.7 M", "CC-BY-NC-ND-4.0", "1×"]
    assert found["conch"][-3:] == ["87.1 M", "CC-BY-NC-ND-4.0", "–"]


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("score", ["b", "a", "c"]),
        ("model", ["a", "b", "c"]),
        ("params", ["a", "b", "c"]),
        ("time", ["b", "a", "c"]),
        ("random", ["a", "b", "c"]),
        ("licence", ["c", "b", "a"]),
    ],
)
def test_any_column_sorts_the_best_first_and_the_unknown_last(column, names):
    rows = (row("b", 0.9, rank=1, n_params=9, relative_time=1, random_cosine=0.9),
            row("a", 0.5, rank=2, n_params=4, relative_time=2, random_cosine=0.2),
            row("c", None, rank=None, license="MIT"))  # fmt: skip
    board = sorted_board(Leaderboard("s", rows), column)
    assert [row.name for row in board.rows] == names
    assert {row.name: row.rank for row in board.rows} == {"a": 2, "b": 1, "c": None}


def test_an_unknown_column_is_named():
    with pytest.raises(UnknownName, match=r"No column named 'scor'. Did you mean 'score'"):
        sorted_board(published(), "scor")
    with pytest.raises(UnknownName, match=r"Known: both, cosine, .*, time"):
        leaderboard_table(published(), ["x"])


def test_a_wide_terminal_shows_more_and_a_narrow_one_the_score_and_its_terms():
    facts = {"random_cosine": 0.25, "cosine_lift": 0.1, "score_low": 0.41, "score_high": 0.61, "n_params": 85_700_000}
    board = Leaderboard("s", (row("a" * 18, license="MIT", **facts),))
    words = {width: render(leaderboard_table(board), width=width).splitlines()[0].split() for width in (60, 80, 120)}
    assert words[60] == ["#", "model", "score", "cosine", "scanner", "staining", "both"]
    assert words[80] == ["#", "model", "score", "95", "%", "CI", "cosine", "random", "scanner", "staining", "both"]
    assert words[120][-3:] == ["retrieval", "params", "licence"]


def test_sixty_models_and_long_names_fit_80_columns():
    rows = tuple(row("n" * 199 + str(number % 10), number / 60, rank=60 - number) for number in reversed(range(60)))
    lines = render(leaderboard_table(Leaderboard("s", rows))).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 1 + 60
    assert sum("n9" in line or line.strip().endswith("9") for line in lines) >= 6  # ends of names are kept


def test_colour_is_for_terminals():
    board = Leaderboard("s", (row("a"),))
    assert "\x1b[36m" in render(leaderboard_table(board), force_terminal=True, color_system="standard")
    assert "\x1b" not in render(leaderboard_table(board))


def test_html_and_latex_hold_names_as_text():
    board = Leaderboard("s<b>", (row("<script>&_\\x\x1b"),))
    page = leaderboard_parts([board], TableFormat.HTML)[0]
    assert "<p>s&lt;b&gt;</p>" in page
    assert '<td style="text-align: left">&lt;script&gt;&amp;_\\x�</td>' in page
    assert '<td style="text-align: right">.500</td>' in page
    latex = leaderboard_parts([board], TableFormat.LATEX)[0]
    assert r"1 & \textless{}script\textgreater{}\&\_\textbackslash{}xU+FFFD & .500 &" in latex
    assert latex.startswith("% s<b>\n\n\\begin{tabular}{rlrrrrrr}\n\\toprule\n\\# & model & score")


def test_intervals_of_terms_are_columns_of_the_data():
    board = Leaderboard("s", (row("a", cosine_low=0.4, cosine_high=0.6),))
    (told,) = json.loads(leaderboard_parts([board], TableFormat.JSON)[0])["boards"][0]["rows"]
    assert (told["cosine_low"], told["cosine_high"], told["top10_cross_both_low"]) == (0.4, 0.6, None)
    (line,) = csv.DictReader(io.StringIO(leaderboard_parts([board], TableFormat.CSV)[0]))
    assert line.keys() == {"schema", "signature"} | told.keys()


def test_every_column_is_documented():
    page = (Path(__file__).parents[2] / "docs/leaderboard.md").read_text()
    table = page.partition("| `--columns`, `--sort` | |")[2].partition("\n\n")[0]
    told = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert told == set(COLUMNS)
