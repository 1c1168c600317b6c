import csv
import io
import json

import pytest
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.results import write_result
from plismbench.workspace import Workspace

PUBLISHED = "plism@published|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|owkin-fp16"
SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


@pytest.fixture
def place(tmp_path):
    """Puts results of PLISM where the command finds them."""

    def put(*results):
        for number, result in enumerate(results):
            write_result(Workspace(tmp_path / "root", "plism").results(result.run.name, str(number)), result)

    return put


def test_without_results_the_published_table_is_shown(run):
    outcome = run("leaderboard")
    assert outcome.code == 0
    assert outcome.err == "No results here yet: this is the published table.\n"
    lines = outcome.out.splitlines()
    assert lines[0] == PUBLISHED
    assert lines[2].split()[:3] == ["1", "h0-mini", ".541"]
    assert len(lines) == 18
    assert lines[-1].startswith("Published by plism-benchmark")


def test_own_results_and_published_ones_are_never_ranked_together(run, place):
    place(make_result("uni", 0.6, SLIDES), make_result("mine", 0.4, SLIDES))
    outcome = run("leaderboard")
    assert (outcome.code, outcome.err) == (0, "")
    own, published = outcome.out.split(PUBLISHED)
    assert [line.split()[:2] for line in own.splitlines()[2:]] == [["1", "uni"], ["2", "mine"]]
    assert len(published.strip().splitlines()) == 1 + 15 + 1
    boards = json.loads(run("leaderboard", "--format", "json").out)["boards"]
    assert [{row["published"] for row in board["rows"]} for board in boards] == [{False}, {True}]
    assert [row["rank"] for row in boards[0]["rows"]] == [1, 2]
    assert boards[0]["rows"][0]["relative_time"] == 2.1
    assert PUBLISHED not in run("leaderboard", "--no-published").out


def test_the_published_table_is_of_plism_and_not_of_the_demo(run, tmp_path):
    write_result(
        Workspace(tmp_path / "root", "demo").results("a", "0"), make_result("a", slides=SLIDES, dataset="demo")
    )
    outcome = run("leaderboard", "--dataset", "demo")
    assert PUBLISHED not in outcome.out
    assert "demo@main" in outcome.out


def test_results_are_ranked_a_table_for_each_signature(run, extracted):
    run("evaluate", "--dataset", "tiny")
    run("evaluate", "--dataset", "tiny", "--n-tiles", "20")
    outcome = run("leaderboard", "--dataset", "tiny")
    assert outcome.out.count("tiny@1|slides:6|tiles:") == 2
    told = json.loads(run("leaderboard", "--dataset", "tiny", "--format", "json").out)
    for board in told["boards"]:
        assert [row["name"] for row in board["rows"]] == ["good", "noise"]
        assert board["rows"][0]["score"] > board["rows"][1]["score"]
    assert "| good " in run("leaderboard", "--dataset=tiny", "--format=markdown").out


def test_no_results_and_nothing_published_to_show(run, tiny):
    outcome = run("leaderboard", "--dataset", "tiny")
    assert outcome.code == 2
    assert "No results of 'tiny'" in outcome.error
    assert "No results of 'plism'" in run("leaderboard", "--no-published").error


@pytest.mark.parametrize("table_format", ["table", "markdown", "csv", "json", "html", "latex"])
@pytest.mark.parametrize("group", [[], ["--group"]])
def test_a_file_holds_what_would_be_printed(run, tmp_path, table_format, group):
    printed = run("leaderboard", "--format", table_format, *group)
    path = tmp_path / "new" / "board.txt"
    written = run("leaderboard", "--format", table_format, *group, "--output", path)
    assert written.out == f"{path}\n"
    assert path.read_text() == printed.out
    assert "h0-mini" in printed.out


def test_columns_and_order_can_be_chosen(run):
    lines = run("leaderboard", "--columns", "model,retrieval", "--columns", "time", "--sort", "time").out.splitlines()
    assert lines[1].split() == ["#", "model", "retrieval", "time"]
    assert [line.split()[1] for line in lines[2:5]] == ["h0-mini", "phikon", "uni"]
    assert lines[2].split() == ["1", "h0-mini", ".455", "1×"]
    data = csv.DictReader(io.StringIO(run("leaderboard", "--sort", "cosine", "--format", "csv").out))
    cosines = [float(row["cosine"]) for row in data]
    assert cosines == sorted(cosines, reverse=True)


def test_the_paper_s_layout(run, place):
    lines = run("leaderboard", "--group").out.splitlines()
    assert lines[0] == PUBLISHED
    assert lines[3].split()[:3] == ["h0-mini", ".92", "(.06)"]
    assert lines[-1].startswith("Published in Table 3")
    place(make_result("mine", slides=SLIDES))
    outcome = run("leaderboard", "--group", "--no-published")
    assert "mine" in outcome.out
    assert "h0-mini" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sort", "scor"], "No column named 'scor'. Did you mean 'score'?"),
        (["--columns", "model,x"], "No column named 'x'."),
        (["--columns", "model", "--format", "json"], "json always has every field"),
        (["--columns", "model", "--format", "csv"], "csv always has every field"),
        (["--group", "--sort", "score"], "--group has columns and an order of its own"),
        (["--group", "--columns", "score"], "--group has columns and an order of its own"),
        (["--dataset", "plsm"], "Did you mean 'plism'?"),
    ],
)
def test_what_does_not_fit_is_misuse(run, arguments, words):
    outcome = run("leaderboard", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error
