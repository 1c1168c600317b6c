"""``plismbench doctor``."""

from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import show
from plismbench.dataset import PLISM, dataset_named
from plismbench.errors import NeedsAction

EXAMPLES = "plismbench doctor\n\nplismbench doctor --gated"


def doctor(
    root: options.Root,
    gated: Annotated[bool, typer.Option("--gated", help="Also try the access to each gated model.")] = False,
) -> None:
    """Look at packages, GPU, FAISS, disk, Hub and data; each with PASS, WARN or FAIL and how to fix it."""
    from plismbench.doctor import Verdict, examine
    from plismbench.extractors import registry
    from plismbench.reporting.printing import printable

    specs = [entry.spec for entry in registry.registered() if gated and entry.spec is not None and entry.spec.gated]
    failed = 0
    for check in examine(root, dataset_named(PLISM.name), specs):
        failed += check.verdict is Verdict.FAIL
        show(
            printable(f"{check.verdict}  {check.name}: {check.found}") + (f"\n      → {check.fix}" if check.fix else "")
        )
    if failed:
        raise NeedsAction(f"{failed} {'check' if failed == 1 else 'checks'} failed.", hint="The lines with → say how.")
