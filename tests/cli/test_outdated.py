import pytest
from stores import make_store, make_vectors

WORDS = (
    "The vectors of 'good' are not those of its result any more. Run `plismbench evaluate --dataset tiny --model good`."
)


@pytest.fixture
def outdated(run, extracted):
    """A result of 'good', which was extracted anew since, and one of 'noise', which was not."""
    assert run("evaluate", "--dataset", "tiny", "--n-tiles", "30").code == 0
    assert run("leaderboard", "--dataset", "tiny").err == ""
    make_store(extracted.embeddings("good"), make_vectors(seed=7), name="good")


def test_a_result_of_vectors_that_are_gone_passes_no_gate(run, outdated):
    outcome = run("leaderboard", "--dataset", "tiny")
    assert (outcome.code, outcome.err) == (0, f"{WORDS}\n")
    for options in ((), ("--model=good",)):
        outcome = run("leaderboard", "--dataset", "tiny", "--fail-under", "0", *options)
        assert (outcome.code, outcome.out, outcome.error) == (2, "", f"plismbench: {WORDS}")
    assert run("leaderboard", "--dataset", "tiny", "--fail-under", "0", "--model", "noise").code == 0
    assert run("evaluate", "--dataset", "tiny", "--n-tiles", "30").code == 0
    assert run("leaderboard", "--dataset", "tiny", "--fail-under", "0").code == 0


def test_every_command_that_shows_it_says_so(run, outdated, tmp_path):
    for command in (
        ("compare", "good", "noise"),
        ("report", "--failures", "none", "--output", str(tmp_path / "report.html")),
        ("export", "--to", str(tmp_path / "both")),
        ("submit", "pack", "good", "--output", str(tmp_path / "good.zip")),
    ):
        outcome = run(*command, "--dataset", "tiny")
        assert (outcome.code, WORDS in outcome.err.splitlines()) == (0, True), (command, outcome)
    for command in (
        ("export", "--model", "noise", "--to", str(tmp_path / "one")),
        ("submit", "pack", "noise", "--output", str(tmp_path / "noise.zip")),
    ):
        assert WORDS not in run(*command, "--dataset", "tiny").err
