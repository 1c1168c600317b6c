"""The registered extractors as a table, for people and programs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plismbench.extractors.registry import Registration
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.printing import csv_text, document, parameters, printable

if TYPE_CHECKING:
    from rich.table import Table

MODELS_SCHEMA = "plismbench.models/1"
_FIELDS = ("name", "title", "organisation", "dim", "n_params", "license", "gated", "trained_on_plism", "source")


def models_table(registered: Sequence[Registration]) -> "Table":
    """For a terminal: what is there, from whom, and what is broken."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("model", "left"), ("dim", "right"), ("params", "right"), ("licence", "left")):
        table.add_column(heading, justify=justify, no_wrap=heading == "model")  # type: ignore[arg-type]
    table.add_column("from", overflow="fold")  # a reason is never cut short
    for entry in registered:
        if entry.spec is None:
            cells = [entry.name, "", "", "", f"{entry.owner}: broken, {entry.problem}"]
        else:
            spec = entry.spec
            licence = spec.license + (" (gated)" if spec.gated else "")
            origin = entry.owner if entry.problem is None else f"{entry.owner}: {entry.problem}"
            cells = [entry.name, f"{spec.dim:,}", parameters(spec.n_params), licence, origin]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def models_text(registered: Sequence[Registration], table_format: TableFormat) -> str:
    """The same with every field, in any other format."""
    rows = [_row(entry) for entry in registered]
    match table_format:
        case TableFormat.JSON:
            return json.dumps({"schema": MODELS_SCHEMA, "models": rows}, indent=2)
        case TableFormat.CSV:
            return csv_text(rows)
    words = [[str(value) for value in row.values()] for row in rows]
    return document(list(rows[0]), words, table_format, left=list(rows[0]))


def _row(entry: Registration) -> dict[str, Any]:
    told = {} if entry.spec is None else entry.spec.as_dict()
    facts = {field: told.get(field) for field in _FIELDS[1:]}
    return {"name": entry.name, "owner": entry.owner, "problem": entry.problem, **facts}
