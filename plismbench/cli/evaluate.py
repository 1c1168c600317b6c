"""``plismbench evaluate``."""

import re
import shlex
from functools import partial
from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import deliver, progress, say
from plismbench.errors import InvalidInput, MissingEmbeddings
from plismbench.machine import n_cpus
from plismbench.metrics.protocol import OWKIN, PROTOCOL
from plismbench.metrics.retrieval import DEFAULT_KS
from plismbench.own_dataset import find_dataset
from plismbench.pairs import Axis, slide_pairs
from plismbench.reporting.printing import TableFormat
from plismbench.search.engine import AUTO, ENGINES
from plismbench.workspace import Existing, Workspace

EXAMPLES = "plismbench evaluate --dataset demo\n\nplismbench evaluate --model h0-mini --n-tiles 8139"


def evaluate(
    root: options.Root,
    model: options.Models = None,
    dataset: options.Dataset = "plism",
    n_tiles: Annotated[
        int | None, typer.Option(help="Tiles of each slide; the data set's usual number if left out.")
    ] = None,
    ks: Annotated[str, typer.Option("-k", "--ks", help="Cut-offs of the retrieval accuracy.")] = ",".join(
        map(str, DEFAULT_KS)
    ),
    slides: options.Slides = None,
    stainings: options.Stainings = None,
    scanners: options.Scanners = None,
    excluded: options.ExcludedSlides = None,
    engine: Annotated[
        str, typer.Option(help=f"Search engine: {', '.join(ENGINES)}; auto is torch on a GPU, else faiss.")
    ] = AUTO,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU with torch where there is one.")] = AUTO,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of everything together; one a core if left out.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=0.1, max=1e6, help="GB that slides may take; half of the machine's if left out.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help=f"{PROTOCOL}, or {OWKIN} to round as plism-benchmark does (slow).")
    ] = PROTOCOL,
    existing: options.OnExisting = Existing.SKIP,
    by: Annotated[
        Axis | None, typer.Option(help="Print every two scanners, or stainings, instead of the pair groups.")
    ] = None,
    table_format: options.Format = TableFormat.TABLE,
) -> None:
    """Compare every pair of slides: cosine similarity and top-k retrieval, medians and IQR a pair group.

    Without --model, a model that lacks slides is named at the end (exit code 2); the others are evaluated.
    """
    from plismbench.cli.outdated import mind_outdated
    from plismbench.embeddings.opening import extracted_stores
    from plismbench.evaluation.evaluation import default_memory, plan_evaluation
    from plismbench.reporting.slides import slide_notes
    from plismbench.reporting.summary import summary_parts
    from plismbench.results.result import with_distinct_signatures
    from plismbench.tiles.digests import slide_digests

    registered = find_dataset(dataset)
    chosen = registered.select(*map(options.split_commas, (slides, stainings, scanners, excluded)))
    workspace = Workspace(root, registered.name)
    hint = f"Run `plismbench extract --model NAME --dataset {shlex.quote(dataset)}` first, or name its --root."
    names = options.model_names(model)
    stores = extracted_stores(workspace, names, hint=hint)
    mind_outdated([], workspace, registered, options.split_commas(model))
    plan = partial(
        plan_evaluation,
        dataset=registered,
        slides=chosen,
        workspace=workspace,
        n_tiles=registered.n_tiles if n_tiles is None else n_tiles,
        ks=_numbers(ks),
        engine_name=engine,
        device=device,
        protocol=protocol,
        threads=n_cpus() if threads is None else threads,
        memory=default_memory() if memory is None else int(memory * 10**9),
        existing=existing,
        digests=slide_digests(registered, chosen),
    )
    plans, lacking = [], []
    for store in stores:
        try:
            plans.append(plan(store))
        except MissingEmbeddings as error:
            if names:
                raise
            lacking.append(error)  # one unfinished model does not hold up the others
    for evaluation in plans:
        if evaluation.finished:
            say(f"{evaluation.run.name}: evaluated already, nothing to do.")
            continue
        with progress(evaluation.run.name, len(evaluation.todo), "pairs") as advance:
            for _ in evaluation.evaluate():
                advance(1)
        say(f"{evaluation.run.name}: wrote {evaluation.folder}")
    if by is not None and not any(pair.group is by.group for pair in slide_pairs(chosen)):
        say(f"--by {by} has nothing to show: no two of these slides differ in their {by} alone.")
    results = with_distinct_signatures(evaluation.result() for evaluation in plans)
    deliver(summary_parts(results, table_format, by))
    for note in slide_notes(results):
        say(note)
    for unfinished in lacking[:-1]:
        say(str(unfinished))
    if lacking:
        raise lacking[-1]


def _numbers(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*(,\s*[0-9]{1,9}\s*)*", text):
        raise InvalidInput(f"Cut-offs are whole numbers with commas, such as 1,3,5,10; got '{text}'.")
    return tuple(map(int, text.split(",")))
