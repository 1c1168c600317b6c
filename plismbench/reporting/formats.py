"""How a table can be printed."""

from enum import StrEnum


class TableFormat(StrEnum):
    """``table`` is for a terminal; the others are for files and other programs."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    HTML = "html"
    LATEX = "latex"
