"""What a check found, and the table of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    check: str
    found: str
    asked: str = ""
    held: bool = True


def at_least(check: str, found: float, least: float) -> Finding:
    """A number with a lower bound; 0 is no bound."""
    return Finding(check, f"{found:.5g}", f"≥ {least:g}" if least else "", found >= least)


def at_most(check: str, found: float, most: float, unit: str = "") -> Finding:
    """A number with an upper bound."""
    return Finding(check, f"{found:.3g}{unit}", f"≤ {most:.3g}{unit}", found <= most)


def agreement(check: str, same: bool) -> Finding:
    """Whether two ways give the same."""
    return Finding(check, "yes" if same else "no", "yes", same)


def show(title: str, findings: list[Finding]) -> None:
    """The table, on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "found", "asked", "", title=title, box=None, pad_edge=False)
    for one in findings:
        table.add_row(one.check, one.found, one.asked, "ok" if one.held else "FAILS")
    Console(width=110).print(table)
