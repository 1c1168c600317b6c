import pytest

from plismbench.errors import InvalidInput, UnknownName
from plismbench.leaderboard.gate import DEFAULT_TOLERANCE, Check, Demand, Requirements, checks, not_compared, of_models
from plismbench.leaderboard.leaderboard import Leaderboard, LeaderboardRow

TERMS = ("cosine", "top10_cross_scanner", "top10_cross_staining", "top10_cross_both")


def row(name="toy", **fields):
    return LeaderboardRow(**{"name": name, "title": name, "rank": 1} | dict.fromkeys(TERMS, 0.5) | fields)


def board(*rows, signature="s", chance=None):
    return Leaderboard(signature, rows, chance)


def failed(boards, **required):
    return [check for check in checks(boards, Requirements(**required)) if not check.passed]


def test_the_same_numbers_pass_and_every_term_is_looked_at():
    found = checks([board(row())], Requirements(baseline=[board(row())]))
    assert [(check.term, check.demand) for check in found] == [
        ("score", Demand.PRESENT), *((term, Demand.BASELINE) for term in ("score", *TERMS)),
    ]  # fmt: skip
    assert all(check.passed for check in found)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_that_falls_is_found_with_its_score(term):
    found = failed([board(row(**{term: 0.4}))], baseline=[board(row())])
    assert [(check.term, check.required, check.now) for check in found] == [
        ("score", 0.5, pytest.approx(0.475)),
        (term, 0.5, 0.4),
    ]


@pytest.mark.parametrize(
    ("now", "tolerance", "terms"),
    [
        (0.495, DEFAULT_TOLERANCE, []),  # exactly the tolerance, whatever floats make of it
        (0.4949, DEFAULT_TOLERANCE, ["cosine"]),
        (0.9, 0.0, []),
        (0.4999, 0.0, ["score", "cosine"]),
        (0.1, 1.0, []),
    ],
)
def test_the_tolerance_is_that_of_each_number(now, tolerance, terms):
    found = failed([board(row(cosine=now))], baseline=[board(row())], tolerance=tolerance)
    assert [check.term for check in found] == terms


@pytest.mark.parametrize(
    ("interval", "outside"),
    [((None, None), None), ((0.3, 0.6), False), ((0.45, 0.6), True), ((0.4, 0.6), False)],
)
def test_it_is_told_whether_the_baselines_interval_was_left(interval, outside):
    low, high = interval
    (_, found) = failed([board(row(cosine=0.4))], baseline=[board(row(cosine_low=low, cosine_high=high))])
    assert found.outside is outside


def test_the_interval_of_the_score():
    (found, _) = failed([board(row(cosine=0.1))], baseline=[board(row(score_low=0.45, score_high=0.55))])
    assert (found.term, found.interval, found.outside) == ("score", (0.45, 0.55), True)


def test_what_is_no_longer_defined_fails_and_what_never_was_does_not():
    found = failed([board(row(top10_cross_both=None))], baseline=[board(row())])
    assert [(check.term, check.now) for check in found] == [("score", None), ("top10_cross_both", None)]
    assert failed([board(row())], baseline=[board(row(top10_cross_both=None))]) == []


def test_a_model_of_the_baseline_must_still_be_there():
    (found,) = failed([board(row("a"))], baseline=[board(row("a"), row("b"))])
    assert (found.model, found.demand) == ("b", Demand.PRESENT)
    assert failed([board(row("a"))], baseline=[board(row("a"), row("b"))], models=["a"]) == []
    assert failed([board(row("a"), row("new", cosine=0.0))], baseline=[board(row("a"))]) == []


def test_models_that_the_baseline_lacks_are_told():
    boards = [board(row("c"), row("a"), row("b"), row("p", published=True)), board(row("b"), signature="t")]
    required = Requirements(baseline=[board(row("b"), row("gone"))])
    assert not_compared(boards, required) == {"s": ["a", "c"], "t": ["b"]}
    assert not_compared(boards, Requirements(baseline=[board(row("b"))], models=["b"])) == {"t": ["b"]}
    assert not_compared(boards, Requirements(least_score=0.1)) == {}


@pytest.mark.parametrize(("was", "at_chance"), [(0.02, True), (0.01, True), (0.021, False)])
def test_an_accuracy_that_was_no_better_than_chance_is_told(was, at_chance):
    before = board(row(cosine=was, top10_cross_both=was), chance=0.02)
    found = checks([board(row())], Requirements(baseline=[before]))
    assert [check.term for check in found if check.at_chance] == ["top10_cross_both"] * at_chance


def test_only_the_named_models_count():
    boards = [board(row("a", cosine=0.1), row("b", cosine=0.1))]
    assert {check.model for check in failed(boards, baseline=[board(row("a"), row("b"))], models=["b"])} == {"b"}


def test_like_is_compared_with_like():
    now = [board(row(cosine=0.1), signature="s"), board(row(), signature="t")]
    assert failed(now, baseline=[board(row(), signature="t")]) == []
    assert {check.signature for check in failed(now, baseline=[board(row(), signature="s")])} == {"s"}
    with pytest.raises(InvalidInput, match="signature of the baseline, u; there is s, t"):
        failed(now, baseline=[board(row(), signature="u")])
    half = failed(now, baseline=[board(row(), signature="t"), board(row(), signature="u")])
    assert [(check.signature, check.demand) for check in half] == [("u", Demand.PRESENT)]


def test_published_rows_are_nobodys_baseline():
    with pytest.raises(InvalidInput, match="The baseline has no result"):
        failed([board(row())], baseline=[board(row(published=True))])
    assert failed([board(row()), board(row("p", published=True, cosine=0.0), signature="p")], least_score=0.5) == []


@pytest.mark.parametrize(("least", "names"), [(0.5, []), (0.51, ["a", "b"]), (0.0, ["b"])])
def test_a_least_score(least, names):
    rows = (row("a"), row("b", cosine=None) if least == 0.0 else row("b"))
    assert [check.model for check in failed([board(*rows)], least_score=least)] == names


@pytest.mark.parametrize(("rank", "worst", "passed"), [(3, 3, True), (4, 3, False), (None, 60, False)])
def test_a_worst_rank(rank, worst, passed):
    found = checks([board(row(rank=rank))], Requirements(models=["toy"], worst_rank=worst))
    assert [(check.term, check.passed) for check in found] == [("rank", passed)]


@pytest.mark.parametrize(
    ("required", "words"),
    [
        ({}, "nothing to check"),
        ({"models": ["a"]}, "nothing to check"),
        ({"worst_rank": 3}, "--require-rank needs --model"),
        ({"least_score": float("nan")}, "--fail-under must be a score, from -1 to 1; got nan"),
        ({"least_score": 0.1, "tolerance": float("nan")}, "--tolerance must be a number; got nan"),
        ({"least_score": float("inf")}, "--fail-under must be a score"),
        ({"least_score": 1.5}, "--fail-under must be a score, from -1 to 1; got 1.5"),
        ({"least_score": -1.5}, "--fail-under must be a score, from -1 to 1; got -1.5"),
    ],
)
def test_requirements_that_ask_for_nothing_sensible(required, words):
    with pytest.raises(InvalidInput) as caught:
        Requirements(**required)
    assert words in str(caught.value)


def test_models_that_are_not_there():
    with pytest.raises(UnknownName, match=r"No result named 'tou'. Did you mean 'toy'"):
        failed([board(row())], least_score=0.1, models=["tou"])
    with pytest.raises(InvalidInput, match="The baseline has no new"):
        failed([board(row(), row("new"))], baseline=[board(row())], models=["new"])
    with pytest.raises(InvalidInput, match="no number to check"):
        failed([], least_score=0.1)


def test_some_models_alone_keep_their_places():
    boards = [board(row("a"), row("b", rank=2)), board(row("a"), signature="t")]
    assert of_models(boards, []) == tuple(boards)
    assert of_models(boards, ["b"]) == (board(row("b", rank=2)),)
    with pytest.raises(UnknownName, match="No result named 'c'"):
        of_models(boards, ["b", "c"])


def test_nothing_is_outside_an_unknown_interval():
    check = Check(signature="s", model="m", term="t", demand=Demand.BASELINE, required=1.0, now=None, passed=False,
                  interval=(0.0, 1.0))  # fmt: skip
    assert check.outside is None
