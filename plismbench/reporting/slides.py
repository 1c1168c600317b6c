"""Slides that may not be what they are called, in words."""

from collections import defaultdict
from collections.abc import Sequence

from plismbench.errors import few_of
from plismbench.results.result import Result
from plismbench.results.slides import copies, misfits, stray


def slide_notes(results: Sequence[Result]) -> list[str]:
    """A sentence for every slide that fits another staining than its own, or none, and for slides that are the same.

    Args:
        results: of one data set; what most of them say comes first.
    """
    said: dict[str, int] = defaultdict(int)
    for result in results:
        pairs, k = result.pairs, result.run.shown_k
        for group in copies(pairs):
            said[f"{few_of(group)} have the same vectors: are they copies?"] += 1
        for found in misfits(pairs, k, result.run.n_tiles):
            said[
                f"{found.slide} is more like the slides of {found.staining} than those of {found.slide.staining} on"
                " every other scanner: is its name right?"
            ] += 1
        alone = stray(pairs, k, result.run.n_tiles)
        if alone:
            said[f"{alone} matches none of the others, which match one another: is it registered, is it in focus?"] += 1
    counted = sorted(said.items(), key=lambda item: -item[1])
    return [note if len(results) == 1 else f"{note} ({n} of {len(results)} models)" for note, n in counted]
