"""``plismbench models``."""

from plismbench.cli import options
from plismbench.cli.output import show
from plismbench.reporting.formats import TableFormat

EXAMPLES = "plismbench models\n\nplismbench models --format json"


def models(table_format: options.Format = TableFormat.TABLE) -> None:
    """List what is registered: built-in, from a plug-in, or broken and why."""
    from plismbench.extractors import registry
    from plismbench.reporting.models import models_table, models_text

    registered = registry.registered()
    if table_format is TableFormat.TABLE:
        show(models_table(registered))
    else:
        show(models_text(registered, table_format))
