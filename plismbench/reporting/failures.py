"""Tiles that a model does not find again, as small pictures of a page."""

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plismbench.evaluation.failures import Failures, Query, Tile
from plismbench.reporting.printing import number

BUDGET = 4_000_000
"""Characters that all pictures of a page may take together; plotly.js takes 4.9 million."""

_SHRINK = 2  # a tile of 224 px becomes 112 px: 1 µm each, about 5,000 characters
_QUALITY = 75
_ORDINALS = ("1st", "2nd", "3rd")


@dataclass(frozen=True)
class Thumbnail:
    """A picture and what stands below it.

    Args:
        source: a ``data:`` address.
        role: what the tile is to the query.
        facts: its similarity and its place, a line each.
    """

    source: str
    role: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class FailurePanel:
    """Failures of a model on a pair of slides.

    Args:
        model, signature: of the result.
        title: which slides.
        note: what there is to see, or why there is nothing.
        strips: query, counterpart and what was found, a strip for each query.
    """

    model: str
    signature: str
    title: str
    note: str
    strips: tuple[tuple[Thumbnail, ...], ...]


def failure_panels(failures: Iterable[Failures], budget: int = BUDGET) -> Iterator[FailurePanel]:
    """A panel for each, in the order given, for as long as the pictures fit into the budget.

    Args:
        failures: the most important first.
        budget: of characters; a panel that it does not hold whole says so, and so do all after it.
    """
    for found in failures:
        strips = tuple(_strip(query) for query in found.queries)
        budget -= sum(len(thumbnail.source) for strip in strips for thumbnail in strip)
        if budget < 0:
            named = f"--failures {found.pair.a},{found.pair.b} shows this pair alone."
            note, strips = f"No pictures: those above have used up what one page may hold; {named}", ()
        else:
            note = _note(found)
        yield FailurePanel(found.model, found.signature, _title(found), note, strips)


def _title(found: Failures) -> str:
    others = f", with {found.n_alike} more as hard" if found.n_alike else ""
    hardest = f"hardest {found.axis}s{others}: " if found.axis else ""
    return f"{found.model}, {hardest}{found.pair.a} against {found.pair.b}"


def _note(found: Failures) -> str:
    if found.problem:
        return f"No pictures: {found.problem}"
    accuracy = f"Top-{found.k} accuracy of this pair of slides: {number(found.accuracy)}."
    return accuracy if found.queries else f"{accuracy} No tile that was looked at is missed."


def _strip(query: Query) -> tuple[Thumbnail, ...]:
    tile, counterpart = query.tile, query.counterpart
    rank = f"rank {query.rank:,} of {query.n_candidates:,}"
    return (
        Thumbnail(_source(tile), "query", tuple(filter(None, (str(tile.slide), tile.tissue)))),
        Thumbnail(_source(counterpart), "counterpart", (rank, _cosine(counterpart), str(counterpart.slide))),
        *(
            Thumbnail(_source(found), f"found {ordinal}", (_cosine(found), str(found.slide), _where(tile, found)))
            for ordinal, found in zip(_ORDINALS, query.found, strict=False)
        ),
    )


def _cosine(tile: Tile) -> str:
    return f"cosine {number(tile.cosine)}"


def _where(query: Tile, found: Tile) -> str:
    if found.tissue != query.tissue:
        return found.tissue
    apart = max(abs(one - other) for one, other in zip(query.xy, found.xy, strict=True))
    return "the same place" if apart == 0 else f"{apart} tile{'s' if apart > 1 else ''} away"


def _source(tile: Tile) -> str:
    from PIL import Image

    picture = io.BytesIO()
    Image.fromarray(tile.pixels).reduce(_SHRINK).save(picture, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(picture.getvalue()).decode('ascii')}"
