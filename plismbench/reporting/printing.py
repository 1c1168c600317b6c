"""Cells to text, safely: names come from plug-ins and files of others."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def printable(text: str) -> str:
    """Text of others with control characters made visible, so that no name moves a cursor."""
    return "".join(character if character.isprintable() else "�" for character in text)


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
    writer.writerows(rows)
    return text.getvalue()
