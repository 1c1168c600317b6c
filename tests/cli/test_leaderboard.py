import csv
import io
import json
import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.results.result import write_result
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
    assert len(lines) == 20
    assert lines[-3].startswith("Published by plism-benchmark")


def test_own_results_and_published_ones_are_never_ranked_together(run, place):
    place(make_result("uni", 0.6, SLIDES), make_result("mine", 0.4, SLIDES))
    outcome = run("leaderboard")
    assert (outcome.code, outcome.err) == (0, "")
    own, published = outcome.out.split(PUBLISHED)
    assert [line.split()[:2] for line in own.splitlines()[2:-2]] == [["1", "uni"], ["2", "mine"]]
    assert len(published.strip().splitlines()) == 1 + 15 + 3
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


def test_a_command_to_run_has_the_root_that_was_named(run, tmp_path):
    outcome = run("leaderboard", "--dataset", "demo", "--root", tmp_path / "my root")
    assert f"`plismbench evaluate --dataset demo --root '{tmp_path}/my root'`" in outcome.error
    assert "--root" not in run("leaderboard", "--dataset", "demo").error


@pytest.mark.parametrize("table_format", ["table", "markdown", "csv", "json", "html", "latex"])
@pytest.mark.parametrize("group", [[], ["--group"]])
def test_a_file_holds_what_a_pipe_would_get(run, tmp_path, monkeypatch, table_format, group):
    monkeypatch.delenv("COLUMNS")
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


def call(folder, *arguments, root="root"):
    """Runs the command as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "plismbench", "leaderboard", *arguments],
        env=os.environ | {"PLISMBENCH_ROOT": str(folder / root)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """Models of known scores, their baseline and a better one."""
    folder = tmp_path_factory.mktemp("gate")
    workspace = Workspace(folder / "root", "plism")
    for name, level in (("first", 0.7), ("second", 0.5), ("third", 0.3)):
        write_result(workspace.results(name, "0"), make_result(name, level, SLIDES))
    write_result(Workspace(folder / "other", "plism").results("first", "0"), make_result("first", n_tiles=460))
    assert call(folder, "--write-baseline", "board.json", "--output", "x.txt").returncode == 0
    told = json.loads((folder / "board.json").read_text())
    second = told["boards"][0]["rows"][1]
    second["cosine"] += 0.01
    second["score"] += 0.0025
    (folder / "better.json").write_text(json.dumps(told))
    second["cosine"] += 0.2
    (folder / "far.json").write_text(json.dumps(told))
    (folder / "none.json").write_text("{}")
    return folder


@pytest.fixture
def gate(run, gated, monkeypatch):
    """Runs the command in the folder with the baselines."""
    monkeypatch.chdir(gated)
    return lambda *arguments, root="root": run("leaderboard", *arguments, "--root", gated / root)


REGRESSION = "second: cosine ."  # the start of its line


@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        ("--baseline board.json", 0, ["The gate passed: 18 of 18 checks."]),
        ("--baseline better.json", 1, [REGRESSION, "plismbench: The gate failed: 1 of 18 checks."]),
        ("--baseline far.json", 1, ["second: score", REGRESSION, "plismbench: The gate failed: 2 of 18 checks."]),
        ("--baseline better.json --tolerance 0.011", 0, ["The gate passed: 18 of 18 checks."]),
        ("--baseline better.json --tolerance 0", 1, ["second: score", REGRESSION, "plismbench: The gate failed: 2"]),
        ("--baseline better.json --model first", 0, ["The gate passed: 6 of 6 checks."]),
        ("--baseline better.json --model second", 1, [REGRESSION, "plismbench: The gate failed: 1 of 6 checks."]),
        ("--baseline better.json --model first,third", 0, ["The gate passed: 12 of 12 checks."]),
        ("--fail-under 0.1", 0, ["The gate passed: 3 of 3 checks."]),
        ("--fail-under 0.45", 1, ["second: score .4", "third: score .2", "plismbench: The gate failed: 2 of 3"]),
        ("--fail-under 0.45 --model first", 0, ["The gate passed: 1 of 1 checks."]),
        ("--require-rank 2 --model second", 0, ["The gate passed: 1 of 1 checks."]),
        ("--require-rank 2 --model third", 1, ["third: rank 3, 2 or better", "plismbench: The gate failed: 1 of 1"]),
        ("--baseline board.json --fail-under 0 --require-rank 3 --model third", 0, ["The gate passed: 8 of 8 checks."]),
        ("--baseline board.json --group", 0, ["The gate passed: 18 of 18 checks."]),
        ("--require-rank 2", 2, ["plismbench: --require-rank needs --model"]),
        ("--model first", 2, ["plismbench: The gate has nothing to check."]),
        ("--tolerance 0.1", 2, ["plismbench: The gate has nothing to check."]),
        ("--junit x.xml", 2, ["plismbench: The gate has nothing to check."]),
        ("--fail-under 0.1 --model forst", 2, ["plismbench: No result named 'forst'. Did you mean 'first'?"]),
        ("--fail-under 45", 2, ["plismbench: --fail-under must be a score, from -1 to 1; got 45."]),
        ("--fail-under nan", 2, ["plismbench: --fail-under must be a score, from -1 to 1; got nan."]),
        ("--baseline absent.json", 2, ["plismbench: Cannot read absent.json"]),
        ("--baseline none.json", 2, ["plismbench: none.json is no plismbench.leaderboard/1"]),
    ],
)
def test_the_gate(gate, arguments, code, lines):
    done = gate(*arguments.split())
    found = done.err.splitlines()
    assert done.code == code, done.err
    assert len(found) == len(lines), done.err
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True)), done.err
    assert bool(done.out) is (code != 2)
    if code == 1 and "--baseline" in arguments:
        assert "baseline's 95 % interval" in done.err or "interval not known" in done.err


@pytest.mark.parametrize("baseline", ["board.json", "better.json", "absent.json"])
def test_a_shell_is_told_the_same(gate, gated, baseline):
    told, done = call(gated, "--baseline", baseline), gate("--baseline", baseline)
    assert (told.returncode, told.stdout, told.stderr) == (done.code, done.out, done.err)


@pytest.mark.parametrize(
    ("option", "value"), [("--tolerance", "-1"), ("--tolerance", "nan"), ("--tolerance", "x"), ("--require-rank", "0")]
)
def test_limits_that_make_no_sense(gate, option, value):
    done = gate("--baseline", "board.json", "--model", "first", option, value)
    assert (done.code, done.out) == (2, "")
    assert f"Invalid value for '{option}'" in done.err


def test_a_baseline_of_another_signature_compares_nothing(gate):
    done = gate("--baseline", "board.json", root="other")
    assert done.code == 2
    assert "No result has the signature of the baseline" in done.err
    assert gate("--baseline", "board.json", root="empty").code == 2


def test_the_gate_leaves_files(gate, gated):
    junit, new = gated / "junit.xml", gated / "new.json"
    done = gate("--baseline", "better.json", "--junit", str(junit), "--write-baseline", str(new))
    assert done.code == 1
    (suite,) = ET.parse(junit).getroot()  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("18", "1")
    assert not new.exists()  # what is worse is no baseline
    done = gate("--baseline", "board.json", "--junit", str(junit), "--write-baseline", str(new), "--format", "json")
    assert done.code == 0
    assert ET.parse(junit).getroot().get("failures") == "0"  # noqa: S314
    assert new.read_text() == (gated / "board.json").read_text()
    assert json.loads(done.out)["boards"][0] == json.loads(new.read_text())["boards"][0]


@pytest.mark.parametrize(
    "arguments",
    [
        "--baseline board.json --format json --output board.json",
        "--baseline board.json --junit ./board.json",
        "--write-baseline new.json --output new.json",
        "--fail-under 0 --junit new.json --output new.json",
    ],
)
def test_no_file_is_written_over_another_of_the_same_command(gate, gated, arguments):
    before = (gated / "board.json").read_bytes()
    done = gate(*arguments.split())
    assert (done.code, done.out) == (2, "")
    assert "name the same file more than once. Give each a file of its own." in done.error
    assert (gated / "board.json").read_bytes() == before


def test_a_baseline_that_passes_may_be_written_anew(gate, gated):
    new = gated / "renewed.json"
    new.write_bytes((gated / "board.json").read_bytes())
    assert gate("--baseline", new, "--write-baseline", new).code == 0


def test_a_gate_of_accuracies_at_chance_says_so(gate, gated):
    told = json.loads((gated / "board.json").read_text())
    told["boards"][0]["chance"] = 0.99
    (gated / "random.json").write_text(json.dumps(told))
    assert gate("--baseline", "random.json").err == (
        "The gate passed: 18 of 18 checks; 9 are of accuracies that were no better than ranking at random.\n"
    )


def test_a_baseline_may_be_of_one_model(gate, gated):
    done = gate("--write-baseline", "one.json", "--model", "second")
    assert (done.code, done.err) == (0, "")
    boards = json.loads((gated / "one.json").read_text())["boards"]
    assert [(row["name"], row["rank"]) for board in boards for row in board["rows"]] == [("second", 2)]
    (lacking, _) = gate("--baseline", "one.json").err.splitlines()
    assert lacking.startswith("Not in the baseline, and not compared with it: first, third [plism@main|")
    assert gate("--baseline", "one.json", "--model", "second", "--write-baseline", "again.json").code == 0
    assert (gated / "again.json").read_text() == (gated / "one.json").read_text()
    wrong = gate("--write-baseline", "none-such.json", "--model", "secnd")
    assert wrong.code == 2
    assert "Did you mean 'second'?" in wrong.error
    assert not (gated / "none-such.json").exists()
