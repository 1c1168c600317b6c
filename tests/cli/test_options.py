import pytest

from plismbench.cli.options import batch_size_on, evaluate_first, model_names, split_commas
from plismbench.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, []), ([], []), (["a,b", "c"], ["a", "b", "c"]), (["a,, b,"], ["a", "b"]), (["b,a", "b"], ["b", "a"])],
)
def test_values_may_be_repeated_or_separated_by_commas(given, expected):
    assert split_commas(given) == expected


@pytest.mark.parametrize("given", [[""], ["a", " "], [","]])
def test_a_value_that_names_nothing_is_refused(given):
    with pytest.raises(InvalidInput, match="was given none: ''"):
        split_commas(given)


@pytest.mark.parametrize(
    "command", ["extract --model=", "profile --model=", "evaluate --slides=", "leaderboard --model=,"]
)
def test_a_variable_that_is_not_set_selects_neither_all_nor_nothing(run, command):
    outcome = run(*command.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert "was given none" in outcome.error


def test_a_model_is_named_once_by_its_file_and_its_name(tmp_path):
    (tmp_path / "net.toml").write_text('name = "mine"')
    assert model_names([f"{tmp_path}/net.toml,mine", "other"]) == ["mine", "other"]


def test_a_root_in_a_folder_that_was_removed_is_one_line(run, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    outcome = run("leaderboard", "--root", "data")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no folder data here: the folder that this command runs in was removed." in outcome.error


@pytest.mark.parametrize("text", ["0", "-1", "x", "\u0661"])
def test_a_batch_size_is_a_whole_number(text):
    with pytest.raises(InvalidInput, match="--batch-size is a whole number from 1, or auto"):
        batch_size_on("cpu", text)


def test_a_hint_can_be_pasted_whatever_the_path():
    assert evaluate_first("demo") == "Run `plismbench evaluate --dataset demo` first."
    assert "--dataset 'our rescans/$1.toml'`" in evaluate_first("our rescans/$1.toml")
