"""What a terminal shows of tables and texts."""

import io

from rich.console import Console


def render(*parts, width=80, **options):
    """The text, without colours unless they are asked for; uncropped, as the command line prints it."""
    console = Console(width=width, file=io.StringIO(), **({"color_system": None} | options))
    for part in parts:
        console.print(part, crop=False, markup=False, highlight=False)
    return console.file.getvalue()
