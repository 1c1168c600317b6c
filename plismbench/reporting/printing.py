"""Cells to text, safely: names come from plug-ins and files of others."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

UNKNOWN = "–"


def printable(text: str) -> str:
    """Text of others with control characters made visible, so that no name moves a cursor."""
    return "".join(character if character.isprintable() else "�" for character in text)


def number(value: float | None, digits: int = 3) -> str:
    """``.541`` for what lies between -1 and 1, as in the published tables."""
    if value is None:
        return UNKNOWN
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def interval_text(low: float | None, high: float | None) -> str:
    """``.53–.55``."""
    return UNKNOWN if low is None or high is None else f"{number(low, 2)}–{number(high, 2)}"


def parameters(n_params: int | None) -> str:
    """``85.7 M``."""
    if n_params is None:
        return UNKNOWN
    return f"{n_params / 1e6:,.1f} M" if n_params else "0"


def size(n_bytes: int) -> str:
    """``2.5 GB``: in powers of 1,000, as disks and the Hub count."""
    amount, units = float(n_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:,.0f} {units[0]}" if amount >= 10 or units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """``1 h 30 min``: the two largest units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = ("model",)) -> str:
    """A table for documents; the columns named in ``left`` are words, the others numbers."""
    from tabulate import tabulate

    cells = [[printable(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    alignment = ["left" if name in left else "right" for name in headings]
    return tabulate(cells, headers=list(headings), tablefmt="github", disable_numparse=True, colalign=alignment)


def csv_text(rows: Iterable[dict[str, Any]]) -> str:
    """Rows of the same keys, with a heading."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: printable(value) if isinstance(value, str) else value for key, value in row.items()})
    return text.getvalue()
