import inspect
import pickle

import pytest

from plismbench import errors
from plismbench.errors import (
    GateFailed,
    InvalidInput,
    NeedsAction,
    PlismbenchError,
    UnknownName,
    first_line_of,
    require_known,
    words_of,
)


def every_error():
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PlismbenchError)]


def test_every_error_is_a_failed_gate_misuse_or_asks_for_an_action():
    for kind in every_error():
        assert not issubclass(kind, (KeyError, NotImplementedError))
        if kind is not PlismbenchError:
            (trunk,) = {GateFailed, InvalidInput, NeedsAction} & set(kind.mro())
            assert kind.exit_code == {GateFailed: 1, InvalidInput: 2, NeedsAction: 3}[trunk]


def test_the_tree_in_the_docstring_is_the_tree():
    for kind in every_error():
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("virchow3", ["uni", "virchow2"], "Did you mean 'virchow2'?"),
        ("GMH_s60", ["GMH_S60"], "Did you mean 'GMH_S60'?"),
        ("zzz", ["b", "a"], "Known: a, b."),
        ("zzz", [], ""),
    ],
)
def test_an_unknown_name_helps(name, known, hint):
    assert str(UnknownName("extractor", name, known)) == f"No extractor named '{name}'. {hint}".strip()


def test_of_several_names_the_first_unknown_one_is_named():
    require_known("slide", ["a", "b"], ["b", "a"])
    with pytest.raises(UnknownName, match=r"No slide named 'c'\. Known: a, b\. Do that\."):
        require_known("slide", ["a", "c", "d"], ["a", "b"], hint="Do that.")


def test_errors_travel_between_processes():
    error = UnknownName("extractor", "x", ["y"], hint="List them.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is UnknownName
    assert (str(copy), copy.hint) == (str(error), error.hint)


def test_the_first_line_of_an_error_is_the_first_that_says_something():
    assert first_line_of(RuntimeError("\n\nNot so.\nAt a.py:3")) == "Not so"
    assert first_line_of(RuntimeError()) == "RuntimeError"


def test_the_words_of_an_error_fit_into_a_sentence():
    error = ValueError("Not so.\n  But  otherwise...")
    assert words_of(error) == "Not so. But otherwise"
    assert words_of(error, kind=True) == "ValueError: Not so. But otherwise"
