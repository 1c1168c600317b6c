from xml.etree import ElementTree as ET

import pytest

from plismbench.leaderboard.gate import Check, Demand
from plismbench.reporting.gate import check_line, junit


def check(**changes):
    fields = {"signature": "s", "model": "toy", "term": "cosine", "demand": Demand.BASELINE, "required": 0.812,
              "now": 0.79, "passed": False, "interval": (0.8, 0.83)}  # fmt: skip
    return Check(**fields | changes)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (check(), "toy: cosine .812 → .790 (-.022), outside the baseline's 95 % interval .800–.830 [s]"),
        (check(now=0.805), "toy: cosine .812 → .805 (-.007), inside the baseline's 95 % interval .800–.830 [s]"),
        (check(now=0.8119, interval=None), "toy: cosine .812000 → .811900 (-.000100), interval not known [s]"),
        (check(interval=None), "toy: cosine .812 → .790 (-.022), interval not known [s]"),
        (
            check(interval=None, at_chance=True),
            "toy: cosine .812 → .790 (-.022), interval not known, and no better than ranking at random [s]",
        ),
        (check(now=None), "toy: cosine .812 → –, no longer defined [s]"),
        (check(demand=Demand.PRESENT), "toy: in the baseline, but not among the results [s]"),
        (check(demand=Demand.LEAST_SCORE, required=0.45, now=0.4), "toy: score .400, at least .450 asked for [s]"),
        (
            check(demand=Demand.LEAST_SCORE, required=0.45, now=0.4499),
            "toy: score .449900, at least .450000 asked for [s]",
        ),
        (check(demand=Demand.LEAST_SCORE, required=0.45, now=None), "toy: score –, at least .450 asked for [s]"),
        (check(demand=Demand.WORST_RANK, required=3, now=4), "toy: rank 4, 3 or better asked for [s]"),
        (check(demand=Demand.WORST_RANK, required=3, now=None), "toy: rank –, 3 or better asked for [s]"),
        (check(model="a\nb\x1b", interval=None), "a�b�: cosine .812 → .790 (-.022), interval not known [s]"),
    ],
)
def test_a_regression_is_one_line(found, line):
    assert check_line(found) == line


def test_junit_counts_and_names_what_failed():
    found = [check(), check(passed=True), check(model='<a "b">\x00', demand=Demand.PRESENT)]
    root = ET.fromstring(junit(found))  # noqa: S314 - our own
    (suite,) = root
    assert (root.tag, suite.get("tests"), suite.get("failures")) == ("testsuites", "3", "2")
    assert [case.get("name") for case in suite] == [
        "toy: cosine, baseline", "toy: cosine, baseline", '<a "b">�: cosine, present',
    ]  # fmt: skip
    assert [len(case) for case in suite] == [1, 0, 1]
    assert suite[0][0].get("message") == check_line(found[0])
    assert suite[0].get("classname") == "s"
