import csv
import io
import json
from importlib.resources import files

import polars as pl
from rendering import render
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.leaderboard.group_tables import SPREAD_SCHEMA, GroupTable, group_tables, published_groups
from plismbench.reporting.groups import group_notes, groups_parts
from plismbench.reporting.printing import TableFormat


def markdown_rows(table):
    lines = [line for line in groups_parts([table], TableFormat.MARKDOWN)[0].splitlines() if line.startswith("|")]
    headings, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return [dict(zip(headings, row, strict=True)) for row in rows]


def as_printed(value):
    """A number as the paper prints it: the digits of the shipped file, two of them at least."""
    text = f"{value:.2f}" if round(value, 2) == value else str(value)
    return text.removeprefix("0")


def test_the_published_table_is_that_of_the_paper():
    rows = {row["model"]: row for row in markdown_rows(published_groups())}
    told = json.loads((files("plismbench") / "resources/published.json").read_text())["table3"]["rows"]
    assert list(rows) == list(dict.fromkeys(row["name"] for row in told))
    assert len(told) == 13 * 6
    for row in told:
        column = f"{row['group'].removeprefix('cross-')} {row['metric'].replace('top_', 'top-')}"
        cell = rows[row["name"]][column].strip("*").removeprefix("<ins>").removesuffix("</ins>")
        assert cell == f"{as_printed(row['median'])} ({as_printed(row['iqr'])})"


def test_the_best_is_bold_and_the_second_underlined():
    rows = {row["model"]: row for row in markdown_rows(published_groups())}
    column = {name: row["scanner cosine"] for name, row in rows.items()}
    assert column["conch"] == "**.93 (.04)**"
    assert column["h0-mini"] == "<ins>.92 (.06)</ins>"
    assert column["plip"] == "<ins>.92 (.04)</ins>"  # as much as the other second
    assert column["virchow2"] == ".88 (.06)"
    assert [row["both top-10"] for row in rows.values()][:2] == ["**.18 (.25)**", "<ins>.17 (.20)</ins>"]
    page = groups_parts([published_groups()], TableFormat.HTML)[0]
    assert "<strong>.93 (.04)</strong>" in page
    assert "<u>.92 (.06)</u>" in page
    latex = groups_parts([published_groups()], TableFormat.LATEX)[0]
    assert r"\textbf{.93 (.04)}" in latex
    assert r"\underline{.92 (.06)}" in latex
    terminal = render(
        groups_parts([published_groups()], TableFormat.TABLE)[1], force_terminal=True, color_system="standard"
    )
    assert "\x1b[1m.93 (.04)\x1b[0m" in terminal
    assert "\x1b[4m.92 (.06)\x1b[0m" in terminal


def test_it_fits_80_columns():
    lines = render(groups_parts([published_groups()], TableFormat.TABLE)[1]).splitlines()
    assert len(lines) == 2 + 13
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:3] == ["h0-mini", ".92", "(.06)"]


def test_a_terminal_has_the_signature_above_and_the_notes_below():
    signature, _, *below = groups_parts([published_groups()], TableFormat.TABLE)
    assert (signature, below) == (published_groups().signature, group_notes(published_groups()))


def test_own_results_come_by_signature_in_the_order_of_their_ranking():
    results = [make_result("weak", 0.3), make_result("strong", 0.7), make_result("other", n_tiles=460)]
    tables = group_tables(results)
    assert [list(dict.fromkeys(table.spreads["name"])) for table in tables] == [["other"], ["strong", "weak"]]
    assert not any(table.published for table in tables)
    strong = markdown_rows(tables[1])[0]
    (told,) = results[1].summary.filter(group="cross-both", metric="top_10").to_dicts()
    assert strong["both top-10"] == f"**{told['median']:.2f} ({told['iqr']:.2f})**".replace("0.", ".")
    assert (group_notes(tables[1]), len(group_notes(published_groups()))) == ([], 1)


def test_a_model_alone_is_not_the_best_and_missing_groups_are_dashes():
    one = [Slide("GM", scanner) for scanner in ("AT2", "P", "S60")]
    (table,) = group_tables([make_result(slides=one)])
    (row,) = markdown_rows(table)
    assert row["staining cosine"] == row["both top-10"] == "–"
    assert "*" not in "".join(row.values())
    empty = GroupTable("s", pl.DataFrame(schema=SPREAD_SCHEMA))
    assert markdown_rows(empty) == []


def test_small_numbers_keep_a_digit():
    def table(median, iqr):
        return GroupTable("s", pl.DataFrame([("a", "cross-both", "top_10", median, iqr)], SPREAD_SCHEMA, orient="row"))

    for (median, iqr), cell in {(0.0078, 0.0096): ".008 (.01)", (0.0, 0.0004): ".00 (.00)", (1.0, 0.5): "1.00 (.50)",
                                (-0.02, 0.1): "-.02 (.10)"}.items():  # fmt: skip
        assert markdown_rows(table(median, iqr))[0]["both top-10"] == cell


def test_as_data_with_every_digit():
    result = make_result()
    tables = [*group_tables([result]), published_groups()]
    told = json.loads(groups_parts(tables, TableFormat.JSON)[0])
    assert told["schema"] == "plismbench.groups/1"
    assert len(told["rows"]) == len(result.summary) + 78
    first = told["rows"][0]
    assert first["median"] == result.summary["median"][0]
    assert (first["name"], first["published"], told["rows"][-1]["published"]) == ("toy", False, True)
    lines = list(csv.DictReader(io.StringIO(groups_parts(tables, TableFormat.CSV)[0])))
    assert [float(line["iqr"]) for line in lines] == [row["iqr"] for row in told["rows"]]
    assert lines[0]["signature"] == result.run.signature
