import json

import pytest


def test_two_models_are_compared(run, evaluated, tmp_path):
    outcome = run("compare", "good", "noise", "--dataset", "tiny")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("tiny@1|slides:6|")
    assert "good against noise" in lines
    told = json.loads(run("compare", "good", "noise", "--dataset", "tiny", "--format", "json").out)
    score = told["comparisons"][0]["pairwise"][0]["differences"][0]
    board = json.loads(run("leaderboard", "--dataset", "tiny", "--format", "json").out)["boards"][0]["rows"]
    assert score["difference"] == board[0]["score"] - board[1]["score"]
    (tmp_path / "good.toml").write_text('loader = "a:b"\ndim = 8\n')
    assert run("compare", tmp_path / "good.toml", "noise", "--dataset", "tiny").out == outcome.out
    path = tmp_path / "new.txt"
    assert run("compare", "good", "noise", "--dataset", "tiny", "--output", path).out == f"{path}\n"
    assert path.read_text() == outcome.out


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["good", "nose"], "No result named 'nose'. Did you mean 'noise'?"),
        (["good"], "two different models or more; got good."),
        (["good", "good"], "two different models or more"),
    ],
)
def test_what_cannot_be_compared_is_misuse(run, evaluated, models, words):
    outcome = run("compare", *models, "--dataset", "tiny")
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error


def test_unlike_results_are_not_compared(run, extracted):
    run("evaluate", "--dataset", "tiny", "--model", "good")
    run("evaluate", "--dataset", "tiny", "--model", "noise", "--n-tiles", "20")
    assert "no signature in common" in run("compare", "good", "noise", "--dataset", "tiny").error
