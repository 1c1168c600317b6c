"""The registered extractors as a table, for people and programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from plismbench.extractors.registry import Registration
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.printing import csv_text, document, parameters, printable

if TYPE_CHECKING:
    from rich.table import Table

    from plismbench.extractors.spec import ExtractorSpec
    from plismbench.inspection import Finding

MODELS_SCHEMA = "plismbench.models/1"
CHECK_SCHEMA = "plismbench.check/1"
_CHECK = ("what", "found", "expected", "verdict")
_FIELDS = (
    "name", "title", "organisation", "dim", "pooling", "prefix_tokens", "image_size", "n_params", "precision",
    "license", "gated", "published", "trained_on_plism", "source",
)  # fmt: skip


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


def spec_table(spec: "ExtractorSpec") -> "Table":
    """For a terminal: every field of a model."""
    return _plain_table((("field", "value"), *((name, _word(value)) for name, value in _told(spec).items())))


def spec_text(spec: "ExtractorSpec", table_format: TableFormat) -> str:
    """The same as Markdown, CSV or JSON."""
    told = _told(spec)
    if table_format is TableFormat.JSON:
        return json.dumps({"schema": MODELS_SCHEMA, "models": [told]}, indent=2)
    return _text(("field", "value"), [(name, _word(value)) for name, value in told.items()], table_format)


def findings_table(findings: Sequence["Finding"]) -> "Table":
    """For a terminal: what `models check` found."""
    return _plain_table((_CHECK, *map(_finding, findings)))


def findings_text(findings: Sequence["Finding"], table_format: TableFormat) -> str:
    """The same as Markdown, CSV or JSON."""
    if table_format is TableFormat.JSON:
        rows = [asdict(finding) for finding in findings]
        return json.dumps({"schema": CHECK_SCHEMA, "findings": rows}, indent=2)
    return _text(_CHECK, [_finding(finding) for finding in findings], table_format)


def _told(spec: "ExtractorSpec") -> dict[str, Any]:
    return spec.as_dict() | {"fingerprint": spec.fingerprint()}


def _finding(finding: "Finding") -> tuple[str, ...]:
    verdict = {True: "fine", False: "WRONG", None: ""}[finding.passed]
    at_most = "≤ " if isinstance(finding.expected, float) else ""
    return finding.name, _word(finding.value), f"{at_most}{_word(finding.expected)}", verdict


def _word(value: Any) -> str:
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3g}"
        case str():
            return value
    return json.dumps(value)


def _plain_table(rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows[1:]:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _text(headings: Sequence[str], rows: Sequence[Sequence[str]], table_format: TableFormat) -> str:
    if table_format is TableFormat.CSV:
        return csv_text(dict(zip(headings, row, strict=True)) for row in rows)
    return document(headings, rows, table_format, left=headings)


def _row(entry: Registration) -> dict[str, Any]:
    told = {} if entry.spec is None else entry.spec.as_dict()
    facts = {field: told.get(field) for field in _FIELDS[1:]}
    return {"name": entry.name, "owner": entry.owner, "problem": entry.problem, **facts}
