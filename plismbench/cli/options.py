"""Options that several commands share, each declared once."""

import os
import re
import shlex
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from plismbench.cli.output import keep_root
from plismbench.dataset import DATASETS
from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.locations import TRUST
from plismbench.extractors.spec import BATCH_SIZES, Precision
from plismbench.reporting.printing import TableFormat
from plismbench.workspace import Existing, default_root


def split_commas(values: list[str] | None) -> list[str]:
    """``["a,b", "c", "a"]`` as ``["a", "b", "c"]``.

    Raises:
        InvalidInput: if a value names nothing, as a shell's unset variable does: nobody means all by it, or none.
    """
    parts = [[part.strip() for part in value.split(",") if part.strip()] for value in values or []]
    if not all(parts):
        raise InvalidInput("An option that lists names was given none: ''.", hint="Leave it out, or name something.")
    return list(dict.fromkeys(chain(*parts)))


def model_names(values: list[str] | None) -> list[str]:
    """The names of models that are evaluated: of a file that `extract` took, the name that it gives."""
    from plismbench.extractors.registry import name_of

    return list(dict.fromkeys(map(name_of, split_commas(values))))


def _absolute(context: typer.Context, root: Path) -> Path:
    source = context.get_parameter_source("root")
    keep_root(root if source and source.name == "COMMANDLINE" else None)
    try:
        return root.absolute()  # it travels to workers, which run in other folders; a link stays what it is
    except FileNotFoundError as error:
        raise InvalidInput(
            f"There is no folder {root} here: the folder that this command runs in was removed.",
            hint="Change to one that is there, or name --root by its whole path.",
        ) from error


def _trust(wanted: bool) -> bool:
    if wanted:
        os.environ[TRUST] = "1"  # where loaders look, in other processes too
    return wanted


def batch_size_on(device: str, text: str | None) -> int | None:
    """Tiles in a forward pass: what was asked for, the device's usual number, or None for ``auto``.

    Raises:
        InvalidInput: if it is neither ``auto`` nor a whole number from 1.
    """
    from plismbench.extractors.inference.extractor import default_batch_size

    if text is None:
        return default_batch_size(device)
    if text == "auto":
        return None
    if not re.fullmatch("[1-9][0-9]*", text):
        raise InvalidInput(f"--batch-size is a whole number from 1, or auto; got '{text}'.")
    return int(text)


Root = Annotated[
    Path,
    typer.Option(
        envvar="PLISMBENCH_ROOT",
        default_factory=default_root,
        callback=_absolute,
        show_default="~/.local/share/plismbench",
        help="Folder of everything that plismbench keeps.",
    ),
]
Dataset = Annotated[
    str, typer.Option(help=f"Data set: {', '.join(DATASETS)}, or a .toml file that describes your own.")
]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="Extracted model; may be repeated. All of them if left out.")
]
Slides = Annotated[
    list[str] | None,
    typer.Option("--slides", help="Slides such as GMH_S60,HR_P, or 'all'; the data set's usual ones if left out."),
]
ExcludedSlides = Annotated[
    list[str] | None, typer.Option("--exclude-slides", help="Slides to leave out, such as HRH_S60.")
]
Stainings = Annotated[list[str] | None, typer.Option("--stainings", help="Only these stainings, such as GMH,HR.")]
Scanners = Annotated[list[str] | None, typer.Option("--scanners", help="Only these scanners, such as S60,AT2.")]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        envvar=TRUST,
        callback=_trust,
        help="Let a model run what lies in its repository: code at its pinned commit, or a graph of TensorFlow.",
    ),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1 …, or auto.")]
OfForwardPass = Annotated[
    Precision | None, typer.Option("--precision", help="The model's own on a GPU, fp32 on a CPU, if left out.")
]
BatchSize = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        help=f"Tiles in a forward pass, or auto to measure; {BATCH_SIZES['cuda']} on a GPU, {BATCH_SIZES['cpu']} on"
        " a CPU, if left out. Halved where memory is not enough.",
    ),
]
Compiled = Annotated[bool, typer.Option("--compile", help="Fuse the network's operations first: slower to start.")]
OnExisting = Annotated[Existing, typer.Option("--existing", help="What to do with work that is there already.")]
Format = Annotated[TableFormat, typer.Option("--format", help="How the result is printed.")]
Output = Annotated[
    Path | None, typer.Option(help="File to write instead of printing; its path is printed.", dir_okay=False)
]
Signature = Annotated[str | None, typer.Option(help="Which result, where a model has several.")]


def one_of_signatures(signatures: Iterable[str]) -> str:
    """What to do where a model has several results; it can be pasted, whatever a shell makes of bars."""
    return f"Add --signature with one of these: {' '.join(map(shlex.quote, signatures))}"


def evaluate_first(dataset: str) -> str:
    """What to do where a result is missing; it can be pasted, whatever the path of a data set has in it."""
    return f"Run `plismbench evaluate --dataset {shlex.quote(dataset)}` first."
