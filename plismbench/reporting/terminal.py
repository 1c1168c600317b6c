"""A table as wide as the terminal that it is printed on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plismbench.reporting.printing import Cell, Emphasis, printable, shortened_apart

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

_WORTH_A_COLUMN = 20  # letters of a name for which a column goes
_SHORTEST_NAME = 8  # fewer say nothing: a row is then longer than a line of the terminal


@dataclass(frozen=True)
class TerminalTable:
    """A table whose columns and names follow the width of the terminal; nothing in a name is markup.

    Where there is no room for all, columns go first, one after the other, and then the middles of names, so that
    unlike names stay unlike. What is left is never folded, for a letter a line cannot be read: print it with
    ``crop=False``.

    Args:
        columns: heading to ``name`` (may be shortened), ``left``, ``right`` (whole, where there is room) or ``bar``.
        rows: their cells.
        gap: spaces between two columns.
        dispensable: headings of columns that may go, the first to go first.
        caption: a line below.
    """

    columns: Mapping[str, str]
    rows: Sequence[Sequence[str | Cell]]
    gap: int = 2
    dispensable: Sequence[str] = ()
    caption: str | None = None

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Table | Text]":
        from rich.text import Text

        yield self._fitted(options.max_width)
        if self.caption is not None:
            yield Text(self.caption, style="table.caption")

    def _fitted(self, width: int) -> "Table":
        from rich.cells import cell_len
        from rich.table import Table

        cells = {name: [_text(row[place]) for row in self.rows] for place, name in enumerate(self.columns)}
        widths = {
            name: max(map(cell_len, [*name.split("\n"), *(cell.plain for cell in cells[name])])) for name in cells
        }
        named = [name for name, kind in self.columns.items() if kind == "name"]
        longest_name = max((widths[name] for name in named), default=0)
        shown = list(self.columns)

        def room() -> int:  # for a name
            return width - sum(widths[name] for name in shown if name not in named) - self.gap * (len(shown) - 1)

        for name in self.dispensable:
            if room() < min(longest_name, _WORTH_A_COLUMN):
                shown.remove(name)
        longest = max(_SHORTEST_NAME, room())
        least = width - room() + min(longest, longest_name)
        table = Table(box=None, pad_edge=False, padding=(0, self.gap, 0, 0), width=least if least > width else None)
        for name in shown:
            kind = self.columns[name]
            # Only a name of wide letters is folded: it was shortened by their number.
            table.add_column(name, justify="right" if kind == "right" else "left", no_wrap=kind != "name",
                             overflow="fold", style="cyan" if kind == "bar" else None)  # fmt: skip
        for name in named:
            short = shortened_apart((cell.plain for cell in cells[name]), longest)
            for cell in cells[name]:
                cell.plain = short[cell.plain]
        for row in zip(*(cells[name] for name in shown), strict=True):
            table.add_row(*row)
        return table


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str]) -> "Table":
    """A table whose cells fold where there is no room; the columns ``left`` are words, the others numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _text(cell: str | Cell) -> "Text":
    from rich.text import Text

    styles = {Emphasis.NONE: "", Emphasis.BEST: "bold", Emphasis.SECOND: "underline"}
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    return Text(printable(cell.text), styles[cell.emphasis])
