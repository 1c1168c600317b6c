"""Cells to text, safely: names come from plug-ins and files of others."""

import csv
import html
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Any

UNKNOWN = "–"

_LEAST_PART = 2  # letters of a name's common beginning or end: one of them is the mark of what is left out


class TableFormat(StrEnum):
    """How a table can be printed: ``table`` is for a terminal; the others are for files and other programs."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    HTML = "html"
    LATEX = "latex"


def printable(text: str) -> str:
    """Text of others with control characters made visible, so that no name moves a cursor."""
    return "".join(character if character.isprintable() else "�" for character in text)


def number(value: float | None, digits: int = 3) -> str:
    """``.541`` for what lies between -1 and 1, as in the published tables."""
    if value is None:
        return UNKNOWN
    text = f"{value:z.{digits}f}"
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


def shortened(text: str, longest: int = 40) -> str:
    """A long name with its middle left out: what tells names apart is often at their end."""
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - longest + head + 1 :]}"


def shortened_apart(names: Iterable[str], longest: int) -> dict[str, str]:
    """Each name with its `shortened` form; those that would be alike keep what tells them apart, or get a number."""
    short = {name: shortened(name, longest) for name in names}
    for alike in _alike(short):
        begin = _n_common(alike)
        end = min(_n_common([name[::-1] for name in alike]), min(map(len, alike)) - begin)
        middle = min(max(map(len, alike)) - begin - end, longest - 2 * _LEAST_PART)
        before = min(begin, max((longest - middle) // 2, longest - middle - end))
        rooms = (before, middle, longest - before - middle)
        for name in alike:
            parts = (name[:begin], name[begin : len(name) - end], name[len(name) - end :])
            short[name] = "".join(map(shortened, parts, rooms))
    for number, name in enumerate((name for alike in _alike(short) for name in alike), start=1):
        short[name] = f"{shortened(name, longest - len(f'~{number}'))}~{number}"
    return short


def _n_common(names: Sequence[str]) -> int:
    """Letters that all of them begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def _alike(short: Mapping[str, str]) -> list[list[str]]:
    """Groups of names that have one short form."""
    groups: dict[str, list[str]] = {}
    for name, form in short.items():
        groups.setdefault(form, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


class Emphasis(StrEnum):
    """What a cell has of its own beside its text."""

    NONE = "none"
    BEST = "best"
    SECOND = "second"


@dataclass(frozen=True)
class Cell:
    """Text with emphasis."""

    text: str
    emphasis: Emphasis = Emphasis.NONE


def document(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    table_format: TableFormat,
    left: Sequence[str] = ("model",),
) -> str:
    """A table for documents: Markdown, HTML or LaTeX (which needs the package booktabs).

    Args:
        headings: of the columns.
        rows: their cells; the best is bold, the second underlined. Nothing in them is markup.
        table_format: one of the three.
        left: the columns that are words; the others are numbers.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    match table_format:
        case TableFormat.HTML:
            return _html(headings, cells, left)
        case TableFormat.LATEX:
            return _latex(headings, cells, left)
    from tabulate import tabulate

    marks = {Emphasis.NONE: "{}", Emphasis.BEST: "**{}**", Emphasis.SECOND: "<ins>{}</ins>"}
    words = [[marks[cell.emphasis].format(_escaped(cell.text, _MARKDOWN)) for cell in row] for row in cells]
    alignment = ["left" if name in left else "right" for name in headings]
    return tabulate(words, headers=list(headings), tablefmt="pipe", disable_numparse=True, colalign=alignment)


def caption(text: str, table_format: TableFormat) -> str:
    """A line of code above such a table."""
    quoted = printable(text).replace("`", "'")
    return remark(text, table_format) if table_format is not TableFormat.MARKDOWN else f"`{quoted}`"


def remark(text: str, table_format: TableFormat) -> str:
    """A line below such a table."""
    match table_format:
        case TableFormat.HTML:
            return f"<p>{html.escape(printable(text))}</p>"
        case TableFormat.LATEX:
            return f"% {printable(text)}"
    return _escaped(text, _MARKDOWN)


_MARKDOWN = {character: f"\\{character}" for character in "\\`*[]|"} | {"<": "&lt;", "&": "&amp;"}
_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": r"\textendash{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after the end of a row, this and a star would be read as its argument
    "*": "{*}",
    "†": r"\dag{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


# What the default fonts of pdflatex lack of the first accented letters; of all others they have but punctuation.
_LATEX_LACKS = frozenset("«»ÐÞðþ\xad")
_LATEX_PUNCTUATION = frozenset("—‘’“”‡•…‰€™")


def _tex(text: str) -> str:
    """Text for pdflatex; a letter that its default fonts lack, which would stop it, becomes its number, ``U+732B``."""
    known = (
        character
        if character < "\xa0" or character in _LATEX or character in _LATEX_PUNCTUATION
        or (character < "\u0100" and character not in _LATEX_LACKS)
        else f"U+{ord(character):04X}"
        for character in printable(text)
    )  # fmt: skip
    return re.sub("-(?=-)", "-{}", _escaped("".join(known), _LATEX))  # two hyphens would be a dash


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in printable(text))


def _html(headings: Sequence[str], rows: Iterable[Sequence[Cell]], left: Sequence[str]) -> str:
    sides = ["left" if name in left else "right" for name in headings]
    marks = {Emphasis.NONE: "{}", Emphasis.BEST: "<strong>{}</strong>", Emphasis.SECOND: "<u>{}</u>"}

    def line(tag: str, texts: Iterable[str]) -> str:
        cells = (f'<{tag} style="text-align: {side}">{text}</{tag}>' for side, text in zip(sides, texts, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    bodies = ([marks[cell.emphasis].format(html.escape(printable(cell.text))) for cell in row] for row in rows)
    lines = "\n".join(line("td", body) for body in bodies)
    head = line("th", map(html.escape, headings))
    return f"<table>\n<thead>{head}</thead>\n<tbody>\n{lines}\n</tbody>\n</table>"


def _latex(headings: Sequence[str], rows: Iterable[Sequence[Cell]], left: Sequence[str]) -> str:
    marks = {Emphasis.NONE: "{}", Emphasis.BEST: r"\textbf{{{}}}", Emphasis.SECOND: r"\underline{{{}}}"}
    words = [[marks[cell.emphasis].format(_tex(cell.text)) for cell in row] for row in rows]
    lines = [" & ".join(row) + r" \\" for row in ([_tex(name) for name in headings], *words)]
    columns = "".join("l" if name in left else "r" for name in headings)
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return "\n".join((begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", end))


def json_text(schema: str, **content: Any) -> str:
    """An object that says first of which format it is."""
    return json.dumps({"schema": schema, **content}, indent=2)


def csv_text(rows: Iterable[dict[str, Any]]) -> str:
    """Rows of the same keys, with a heading."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: printable(value) if isinstance(value, str) else value for key, value in row.items()})
    return text.getvalue()
