import pytest

from plismbench.cli.options import split_commas


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, []), ([], []), (["a,b", "c"], ["a", "b", "c"]), (["a,, b,"], ["a", "b"]), (["b,a", "b"], ["b", "a"])],
)
def test_values_may_be_repeated_or_separated_by_commas(given, expected):
    assert split_commas(given) == expected
