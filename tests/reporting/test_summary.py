import csv
import io
import json

import polars as pl
from rendering import render
from synthetic_results import make_result

from plismbench.pairs import Axis, PairGroup
from plismbench.reporting.printing import TableFormat
from plismbench.reporting.summary import summary_parts, summary_table


def test_the_summary_shows_median_and_iqr_of_every_group():
    result = make_result("toy", ks=(1, 3, 5, 10))
    lines = render(summary_table([result, make_result("other", ks=(1, 3, 5, 10))])).splitlines()
    assert len(lines) == 1 + 2 * 4 + 1
    by_chance = 10 / (2 * result.run.n_tiles - 1)
    assert lines[-1] == f"median (IQR); top-10 by chance {by_chance:.4f}".replace(" 0.", " .")
    assert max(map(len, lines)) <= 80
    row = result.summary.to_dicts()[0]
    cell = f"{row['median']:.3f} ({row['iqr']:.3f})".replace("0.", ".")
    assert (row["group"], row["metric"]) == ("cross-scanner", "cosine")
    assert cell in lines[1]
    assert lines[1].startswith("toy ")
    assert lines[2].startswith("    ")
    assert lines[0].split() == ["model", "pairs", "n", "cosine", "cosine-lift", "top-10"]
    markdown = summary_parts([result], TableFormat.MARKDOWN)[0]
    assert cell in markdown
    assert "top-3" in markdown


def test_a_narrow_terminal_has_whole_words_and_no_lift():
    lines = render(summary_table([make_result("toy", ks=(1, 3, 5, 10))]), width=60).splitlines()
    assert lines[0].split() == ["model", "pairs", "n", "cosine", "top-10"]
    assert all(f" {group} " in line for group, line in zip(PairGroup, lines[1:5], strict=True))
    assert max(map(len, lines)) <= 60


def test_the_summary_as_data_is_the_summary():
    result = make_result()
    told = json.loads(summary_parts([result], TableFormat.JSON)[0])["rows"]
    groups = pl.col("group").is_in(["all", "cross-scanner", "cross-staining", "cross-both"])
    summary = result.summary.filter(groups)
    assert [{key: row[key] for key in summary.columns} for row in told] == summary.to_dicts()
    n_candidates = 2 * result.run.n_tiles - 1
    for row in told:
        accuracy = row["metric"].startswith("top_")
        assert row["chance"] == (int(row["metric"][4:]) / n_candidates if accuracy else None)
    lines = list(csv.DictReader(io.StringIO(summary_parts([result], TableFormat.CSV)[0])))
    assert [float(line["median"]) for line in lines] == summary["median"].to_list()


def test_models_with_other_cut_offs_share_a_summary():
    text = summary_parts([make_result("a", ks=(1, 10)), make_result("b", ks=(2,))], TableFormat.MARKDOWN)[0]
    headings, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines())
    proportion = ["random-cosine", "cosine-lift", "centred-cosine"]
    assert headings == ["model", "pairs", "n", "cosine", "top-1", "top-10", *proportion, "top-2"]
    assert rows[0][-1] == rows[4][4] == "–"
    assert "–" not in rows[0][3:9]


def test_every_two_scanners_or_stainings_can_be_shown_instead():
    result = make_result()
    for axis in Axis:
        lines = render(summary_table([result], axis)).splitlines()
        assert len(lines) == 1 + 15 + 1
        assert max(map(len, lines)) <= 80
        told = json.loads(summary_parts([result], TableFormat.JSON, axis)[0])["rows"]
        assert {row["group"].split()[0] for row in told} == {str(axis)}
    assert "scanner AT2-P" in summary_parts([result], TableFormat.MARKDOWN, Axis.SCANNER)[0]
