import pytest

from plismbench.cli.options import evaluate_first, model_names, split_commas


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, []), ([], []), (["a,b", "c"], ["a", "b", "c"]), (["a,, b,"], ["a", "b"]), (["b,a", "b"], ["b", "a"])],
)
def test_values_may_be_repeated_or_separated_by_commas(given, expected):
    assert split_commas(given) == expected


def test_a_model_is_named_once_by_its_file_and_its_name(tmp_path):
    (tmp_path / "net.toml").write_text('name = "mine"')
    assert model_names([f"{tmp_path}/net.toml,mine", "other"]) == ["mine", "other"]


def test_a_hint_can_be_pasted_whatever_the_path():
    assert evaluate_first("demo") == "Run `plismbench evaluate --dataset demo` first."
    assert "--dataset 'our rescans/$1.toml'`" in evaluate_first("our rescans/$1.toml")
