"""What a gate found, as lines for a person and as JUnit for a CI system."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from plismbench.gate import Check, Demand
from plismbench.reporting.printing import UNKNOWN, interval_text, number, printable


def check_line(check: Check) -> str:
    """One line: term, baseline or limit, now, difference, and whether it left the baseline's interval."""
    model = printable(check.model)
    match check.demand:
        case Demand.PRESENT:
            line = f"{model}: in the baseline, but not among the results"
        case Demand.BASELINE if check.now is not None and check.required is not None:
            line = (
                f"{model}: {check.term} {number(check.required)} → {number(check.now)}"
                f" ({number(check.now - check.required)}), {_where(check)}"
            )
        case Demand.BASELINE:
            line = f"{model}: {check.term} {number(check.required)} → {UNKNOWN}, no longer defined"
        case Demand.LEAST_SCORE:
            line = f"{model}: score {number(check.now)}, at least {number(check.required)} asked for"
        case Demand.WORST_RANK:
            now = UNKNOWN if check.now is None else f"{check.now:.0f}"
            line = f"{model}: rank {now}, {check.required:.0f} or better asked for"
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


def _where(check: Check) -> str:
    if check.outside is None or check.interval is None:
        return "interval not known"
    return f"{'outside' if check.outside else 'inside'} the baseline's 95 % interval {interval_text(*check.interval)}"
