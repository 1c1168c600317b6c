"""The registered extractors as a table, for people and programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from plismbench.extractors.checkpoints.locations import extra_of, is_cached, is_pinned
from plismbench.extractors.registry import Registration
from plismbench.published import published_names
from plismbench.reporting.printing import UNKNOWN, TableFormat, csv_text, document, json_text, printable
from plismbench.reporting.terminal import TerminalTable, plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from plismbench.extraction.model_check import Finding
    from plismbench.extractors.spec import ExtractorSpec

MODELS_FORMAT = "plismbench.models/1"
CHECK_FORMAT = "plismbench.check/1"
_LISTED = {
    "model": "name", "from": "left", "dim": "right", "params": "right", "tok": "right", "licence": "left",
    "here": "left", "needs": "left",
}  # fmt: skip
_SPEC = ("field", "value")
_CHECK = ("what", "found", "expected", "verdict")
_FIELDS = (
    "title", "organisation", "dim", "pooling", "prefix_tokens", "image_size", "n_params", "precision",
    "license", "gated", "published", "trained_on_plism", "source", "extra", "cached",
)  # fmt: skip


def models_table(registered: Sequence[Registration]) -> "RenderableType":
    """For a terminal of 80 columns, a line a model; below it what is from a plug-in, and what is broken and why.

    Tokens are those in front of the patches; weights are here, to be fetched, gated, or in a place that cannot be
    looked at.
    """
    from rich.console import Group
    from rich.text import Text

    rows, notes = [], []
    for entry in registered:
        if entry.spec is None:
            notes.append(f"{entry.name}, {entry.owner}: broken, {entry.problem}")
            continue
        spec = entry.spec
        millions = UNKNOWN if spec.n_params is None else f"{spec.n_params / 1e6:,.0f}M"
        cached = is_cached(spec)
        here = "yes" if cached else "gated" if spec.gated else UNKNOWN if cached is None else "no"
        cells = (
            entry.name, _short(spec.organisation or entry.owner, 10), f"{spec.dim:,}", millions,
            str(spec.prefix_tokens), _short(_licence(spec.license), 11), here, extra_of(spec) or "",
        )  # fmt: skip
        rows.append(cells)
        if entry.problem is not None:
            notes.append(f"{entry.name}, {entry.owner}: {entry.problem}")
        elif entry.owner != "plismbench":
            notes.append(f"{entry.name}: of {entry.owner}")
    table = TerminalTable(_LISTED, rows, gap=1, dispensable=("from", "tok", "needs", "licence"))
    return Group(table, *(Text(printable(note)) for note in notes))


def _licence(text: str) -> str:
    """In a word or two; `models show` has all of it."""
    return "non-comm." if "non-commercial" in text.lower() else text.partition(",")[0].removesuffix("-4.0")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip(' ,')}…"


def models_parts(registered: Sequence[Registration], table_format: TableFormat) -> "list[RenderableType | str]":
    """The models as they are printed: but in a terminal with every field."""
    if table_format is TableFormat.TABLE:
        return [models_table(registered)]
    rows = [_row(entry) for entry in registered]
    match table_format:
        case TableFormat.JSON:
            return [json_text(MODELS_FORMAT, models=rows)]
        case TableFormat.CSV:
            return [csv_text(rows)]
    words = [[str(value) for value in row.values()] for row in rows]
    return [document(list(rows[0]), words, table_format, left=list(rows[0]))]


def spec_parts(spec: "ExtractorSpec", table_format: TableFormat) -> "list[RenderableType | str]":
    """Every field of a model as it is printed."""
    if table_format is TableFormat.JSON:
        return [json_text(MODELS_FORMAT, models=[_facts(spec)])]
    return [_words_only(_SPEC, [(name, _word(value)) for name, value in _facts(spec).items()], table_format)]


def findings_parts(findings: Sequence["Finding"], table_format: TableFormat) -> "list[RenderableType | str]":
    """What `models check` found as it is printed."""
    if table_format is TableFormat.JSON:
        return [json_text(CHECK_FORMAT, findings=[asdict(finding) for finding in findings])]
    return [_words_only(_CHECK, [_finding(finding) for finding in findings], table_format)]


def _facts(spec: "ExtractorSpec") -> dict[str, Any]:
    return spec.as_dict() | {
        # Without a revision the fingerprint is not known before the weights are looked up.
        "fingerprint": spec.fingerprint() if is_pinned(spec) else None,
        "published": spec.name in published_names(),
        "extra": extra_of(spec),
        "cached": is_cached(spec),
    }


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


def _words_only(
    headings: Sequence[str], rows: Sequence[Sequence[str]], table_format: TableFormat
) -> "RenderableType | str":
    match table_format:
        case TableFormat.TABLE:
            return plain_table(headings, rows, left=headings)
        case TableFormat.CSV:
            return csv_text(dict(zip(headings, row, strict=True)) for row in rows)
    return document(headings, rows, table_format, left=headings)


def _row(entry: Registration) -> dict[str, Any]:
    facts = {} if entry.spec is None else _facts(entry.spec)
    known = {field: facts.get(field) for field in _FIELDS}
    return {"name": entry.name, "owner": entry.owner, "problem": entry.problem, **known}
