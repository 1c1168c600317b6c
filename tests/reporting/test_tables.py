import csv
import io
import json

import polars as pl
import pytest
from rich.console import Console
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.leaderboard import Leaderboard, LeaderboardRow, leaderboards, published
from plismbench.pairs import Axis
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.tables import leaderboard_table, leaderboard_text, summary_table, summary_text


def render(table, width=80):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_the_published_table_fits_80_columns():
    lines = render(leaderboard_table(published())).splitlines()
    assert len(lines) == 16
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["1", "h0-mini", ".541", "███", ".800", ".864", ".318", ".183"]
    assert lines[8].split()[:3] == ["8=", "uni", ".325"]


def test_a_table_of_results_with_undefined_terms():
    one = [Slide("GM", scanner) for scanner in ("AT2", "P", "S60")]
    (board,) = leaderboards([make_result(slides=one)])
    text = render(leaderboard_table(board))
    assert text.splitlines()[1].split()[:3] == ["–", "toy", "–"]
    assert "–" in leaderboard_text([board], TableFormat.MARKDOWN)


def test_csv_and_json_keep_every_digit():
    boards = leaderboards([make_result("a", 0.4), make_result("b", 0.6), make_result("c", n_tiles=460)])
    told = json.loads(leaderboard_text(boards, TableFormat.JSON))
    assert told["schema"] == "plismbench.leaderboard/1"
    lines = list(csv.DictReader(io.StringIO(leaderboard_text(boards, TableFormat.CSV))))
    assert len(lines) == 3
    for board, back in zip(boards, told["boards"], strict=True):
        assert back["signature"] == board.signature
        for row, values in zip(board.rows, back["rows"], strict=True):
            assert (values["name"], values["score"], values["cosine"]) == (row.name, row.score, row.cosine)
            line = next(line for line in lines if line["name"] == row.name)
            assert float(line["score"]) == row.score
            assert line["signature"] == board.signature


def test_the_summary_shows_median_and_iqr_of_every_group():
    result = make_result("toy", ks=(1, 3, 5, 10))
    lines = render(summary_table([result, make_result("other", ks=(1, 3, 5, 10))])).splitlines()
    assert len(lines) == 1 + 2 * 4
    assert max(map(len, lines)) <= 80
    row = result.summary.to_dicts()[0]
    cell = f"{row['median']:.3f} ({row['iqr']:.3f})".replace("0.", ".")
    assert (row["group"], row["metric"]) == ("cross-scanner", "cosine")
    assert cell in lines[1]
    assert lines[1].startswith("toy ")
    assert lines[2].startswith("    ")
    assert lines[0].split() == ["model", "pairs", "n", "cosine", "cosine-lift", "top-10"]
    markdown = summary_text([result], TableFormat.MARKDOWN)
    assert cell in markdown
    assert "top-3" in markdown


def test_the_summary_as_data_is_the_summary():
    result = make_result()
    told = json.loads(summary_text([result], TableFormat.JSON))["rows"]
    groups = pl.col("group").is_in(["all", "cross-scanner", "cross-staining", "cross-both"])
    summary = result.summary.filter(groups)
    assert [{key: row[key] for key in summary.columns} for row in told] == summary.to_dicts()
    lines = list(csv.DictReader(io.StringIO(summary_text([result], TableFormat.CSV))))
    assert [float(line["median"]) for line in lines] == summary["median"].to_list()


def test_models_with_other_cut_offs_share_a_summary():
    text = summary_text([make_result("a", ks=(1, 10)), make_result("b", ks=(2,))], TableFormat.MARKDOWN)
    headings, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines())
    proportion = ["random-cosine", "cosine-lift", "centred-cosine"]
    assert headings == ["model", "pairs", "n", "cosine", "top-1", "top-10", *proportion, "top-2"]
    assert rows[0][-1] == rows[4][4] == "–"
    assert "–" not in rows[0][3:9]


def test_every_two_scanners_or_stainings_can_be_shown_instead():
    result = make_result()
    for axis, n in ((Axis.SCANNER, 21), (Axis.STAINING, 78)):
        lines = render(summary_table([result], axis)).splitlines()
        assert len(lines) == 1 + n
        assert max(map(len, lines)) <= 80
        told = json.loads(summary_text([result], TableFormat.JSON, axis))["rows"]
        assert {row["group"].split()[0] for row in told} == {str(axis)}
    assert "scanner AT2-P" in summary_text([result], TableFormat.MARKDOWN, Axis.SCANNER)


def test_ranks_that_cannot_be_told_apart_are_a_range():
    boards = leaderboards([make_result("a", 0.5), make_result("b", 0.5, seed=1), make_result("c", 0.1)])
    lines = render(leaderboard_table(boards[0])).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["1–2", "1–2", "3"]
    assert lines[0].split()[3:] == ["95", "%", "CI", "cosine", "lift", "scanner", "staining", "both"]
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
    assert "<script>" not in leaderboard_text([board], TableFormat.MARKDOWN)
    assert json.loads(leaderboard_text([board], TableFormat.JSON))["boards"][0]["rows"][0]["name"] == name
