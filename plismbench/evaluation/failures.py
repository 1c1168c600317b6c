"""What failure looks like: the tiles that a model does not find again, and those that it takes for them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from plismbench.dataset import RegisteredDataset, Slide, TileSubset
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import FingerprintMismatch, InvalidInput, MissingEmbeddings, PlismbenchError
from plismbench.metrics.misses import Miss, worst_misses
from plismbench.pairs import Axis, SlidePair
from plismbench.results.aggregation import PAIR, hardest_between, top_k_metric
from plismbench.results.currency import why_outdated
from plismbench.results.result import Result
from plismbench.search.vectors import SlideVectors
from plismbench.tiles.choice import tiles_at_hand
from plismbench.tiles.digests import slide_digests
from plismbench.tissue import tissue_of
from plismbench.workspace import Workspace

N_QUERIES = 3
"""Tiles that are shown of a pair of slides."""

N_FOUND = 3
"""Tiles that are shown of those found instead of a counterpart."""


class Tile(NamedTuple):
    """A tile to look at.

    Args:
        slide: where it is.
        xy: its place there, in tiles.
        tissue: the core that it is of; empty where a data set does not name its cores.
        pixels: (224, 224, 3) uint8 RGB.
        cosine: its similarity to the query; 1 for the query itself.
    """

    slide: Slide
    xy: tuple[int, int]
    tissue: str
    pixels: npt.NDArray[np.uint8]
    cosine: float


@dataclass(frozen=True)
class Query:
    """A tile that is not found again.

    Args:
        tile: the query.
        counterpart: the same place on the other slide.
        rank: of the counterpart among the candidates, from 1.
        n_candidates: all tiles of both slides but the query.
        found: the nearest tiles, the nearest first.
    """

    tile: Tile
    counterpart: Tile
    rank: int
    n_candidates: int
    found: tuple[Tile, ...]


@dataclass(frozen=True)
class Failures:
    """The worst failures of a model on a pair of slides.

    Args:
        model, signature: of the result.
        pair: the slides; the queries are on the first.
        axis: what differs between the slides, if it is one thing, and the pair was chosen for being the hardest.
        n_alike: other two scanners, or stainings, that are as hard as those of a pair so chosen.
        k: a counterpart of a rank above k is missed.
        accuracy: top-k accuracy of the pair.
        queries: empty if there is none, or nothing to show them with.
        problem: why there is nothing to show; empty if there is nothing amiss.
    """

    model: str
    signature: str
    pair: SlidePair
    axis: Axis | None
    n_alike: int
    k: int
    accuracy: float | None
    queries: tuple[Query, ...] = ()
    problem: str = ""


def pair_named(dataset: RegisteredDataset, names: Sequence[str]) -> SlidePair:
    """The pair of two slides.

    Raises:
        UnknownName: if the data set has no such slide.
        InvalidInput: if these are not two different slides.
    """
    slides = dataset.select(names) if names else ()
    if len(names) != 2 or len(slides) != 2:
        raise InvalidInput(f"A pair is two different slides, such as GMH_AT2,HR_AT2; got {','.join(names)}.")
    return SlidePair(*slides)


def find_failures(
    results: Iterable[Result], dataset: RegisteredDataset, workspace: Workspace, chosen: SlidePair | None
) -> tuple[Failures, ...]:
    """The worst failures of every model: on one pair of slides, or on the hardest pairs of its own.

    Args:
        results: of the models.
        dataset: whose slides they are.
        workspace: where vectors and tiles are.
        chosen: the pair; if None, for each axis the pair of the lowest top-k accuracy between the two
            scanners, or stainings, whose median is the lowest.
    """
    return tuple(
        _failures(result, dataset, workspace, *pair)
        for result in results
        for pair in ([(chosen, None, 0)] if chosen else _hardest_pairs(result))
    )


def _hardest_pairs(result: Result) -> Iterator[tuple[SlidePair, Axis, int]]:
    metric = top_k_metric(result.run.shown_k)
    for axis in Axis:
        hardest = hardest_between(result.summary, axis, metric)
        if hardest:
            a, b = hardest.a, hardest.b
            codes = [pl.col(f"{axis}_{side}") for side in "ab"]
            between = ((codes[0] == a) & (codes[1] == b)) | ((codes[0] == b) & (codes[1] == a))
            of_group = result.pairs.filter(pl.col("group") == str(axis.group), between)
            worst = of_group.sort(metric, *PAIR).row(0, named=True)
            pair = SlidePair(*(Slide(worst[f"staining_{side}"], worst[f"scanner_{side}"]) for side in "ab"))
            yield pair, axis, hardest.n_alike


def _failures(
    result: Result, dataset: RegisteredDataset, workspace: Workspace, pair: SlidePair, axis: Axis | None, n_alike: int
) -> Failures:
    run, k = result.run, result.run.shown_k
    of_pair = result.pairs.filter(*(pl.col(name) == code for name, code in zip(PAIR, pair.codes, strict=True)))
    accuracy = next(iter(of_pair[top_k_metric(k)]), None)
    found = Failures(run.name, run.signature, pair, axis, n_alike, k, accuracy)
    if accuracy is None:
        return replace(found, problem=f"This result does not compare {pair.a} with {pair.b}.")
    try:
        return replace(found, queries=_queries(result, dataset, workspace, pair, k))
    except PlismbenchError as error:  # a report is whole without its pictures
        return replace(found, problem=str(error))


def _queries(
    result: Result, dataset: RegisteredDataset, workspace: Workspace, pair: SlidePair, k: int
) -> tuple[Query, ...]:
    folder = workspace.embeddings(result.run.name)
    if folder not in workspace.extracted():
        raise MissingEmbeddings(
            f"There are no vectors of '{result.run.name}' here; of an added submission there never are, for archives"
            " carry none."
        )
    store = EmbeddingStore.open(folder)
    if outdated := why_outdated(result.run, workspace, dataset):
        raise FingerprintMismatch(outdated, hint="Evaluate the model again.")
    if not store.manifest.origin:
        store.require_made_from(slide_digests(dataset, (pair.a, pair.b)))
    source = tiles_at_hand(dataset, workspace, (pair.a, pair.b))
    rows = TileSubset(result.run.n_tiles, dataset.tiles_per_slide).rows()
    embeddings = {slide: store.read(slide) for slide in (pair.a, pair.b)}
    a, b = (SlideVectors(embeddings[slide].vectors[rows]) for slide in (pair.a, pair.b))
    tissue = tissue_of(dataset, embeddings[pair.a].xy)
    misses = worst_misses(a, b, tissue.labels[rows], k=k, n_misses=N_QUERIES, n_found=N_FOUND)
    tiles = {}
    for slide, wanted in _wanted(pair, misses).items():
        places = [int(rows[row]) for row in wanted]
        batch = source.pick(slide, places)
        if not np.array_equal(batch.xy, embeddings[slide].xy[places]):
            raise InvalidInput(f"The tiles of {slide} that are at hand are not those that were embedded.")
        for row, place, xy, pixels in zip(wanted, places, batch.xy, batch.pixels, strict=True):
            name = tissue.names[tissue.labels[place]] if dataset.cores else ""
            tiles[slide, row] = Tile(slide, (int(xy[0]), int(xy[1])), name, pixels, 1.0)
    return tuple(_query(pair, miss, tiles, 2 * len(rows) - 1) for miss in misses)


def _wanted(pair: SlidePair, misses: Sequence[Miss]) -> dict[Slide, list[int]]:
    """The rows to show of each slide."""
    wanted: dict[Slide, set[int]] = {pair.a: set(), pair.b: set()}
    for miss in misses:
        wanted[pair.a].add(miss.row)
        wanted[pair.b].add(miss.row)
        for candidate in miss.found:
            wanted[pair.a if candidate.own else pair.b].add(candidate.row)
    return {slide: sorted(rows) for slide, rows in wanted.items() if rows}


def _query(pair: SlidePair, miss: Miss, tiles: Mapping[tuple[Slide, int], Tile], n_candidates: int) -> Query:
    found = (
        tiles[pair.a if candidate.own else pair.b, candidate.row]._replace(cosine=candidate.cosine)
        for candidate in miss.found
    )
    counterpart = tiles[pair.b, miss.row]._replace(cosine=miss.cosine)
    return Query(tiles[pair.a, miss.row], counterpart, miss.rank + 1, n_candidates, tuple(found))
