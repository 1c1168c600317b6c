"""What a gate found, as lines for a person and as JUnit for a CI system."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from plismbench.leaderboard.gate import Check, Demand
from plismbench.reporting.printing import UNKNOWN, number, printable


def check_line(check: Check) -> str:
    """One line: term, baseline or limit, now, difference, and whether it left the baseline's interval."""
    model = printable(check.model)
    now, required = check.now, check.required
    # What fails by less than the third decimal is shown to the sixth: `.450 → .450` tells nothing.
    digits = 6 if now is not None and required is not None and abs(now - required) < 0.0005 else 3
    match check.demand:
        case Demand.PRESENT:
            line = f"{model}: in the baseline, but not among the results"
        case Demand.BASELINE if now is not None and required is not None:
            line = (
                f"{model}: {check.term} {number(required, digits)} → {number(now, digits)}"
                f" ({number(now - required, digits)}), {_where(check)}{_noise(check)}"
            )
        case Demand.BASELINE:
            line = f"{model}: {check.term} {number(required)} → {UNKNOWN}, no longer defined"
        case Demand.LEAST_SCORE:
            line = f"{model}: score {number(now, digits)}, at least {number(required, digits)} asked for"
        case Demand.WORST_RANK:
            line = f"{model}: rank {number(now, 0)}, {number(required, 0)} or better asked for"
    return f"{line} [{printable(check.signature)}]"


def junit(checks: Sequence[Check]) -> str:
    """A JUnit file: one test case a check."""
    failures = str(sum(not check.passed for check in checks))
    root = ET.Element("testsuites", tests=str(len(checks)), failures=failures)
    suite = ET.SubElement(root, "testsuite", name="plismbench", tests=str(len(checks)), failures=failures)
    for check in checks:
        name = f"{printable(check.model)}: {check.term}, {check.demand}"
        case = ET.SubElement(suite, "testcase", classname=printable(check.signature), name=name)
        if not check.passed:
            ET.SubElement(case, "failure", message=check_line(check))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _noise(check: Check) -> str:
    return ", and no better than ranking at random" if check.at_chance else ""


def _where(check: Check) -> str:
    if check.outside is None or check.interval is None:
        return "interval not known"
    low, high = map(number, check.interval)  # as many digits as the numbers: rounded more, it could seem to hold them
    return f"{'outside' if check.outside else 'inside'} the baseline's 95 % interval {low}–{high}"
