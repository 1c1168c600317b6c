from itertools import pairwise

import polars as pl
import pytest
from stores import SLIDES, make_dataset, make_store, make_vectors

from plismbench.dataset import TileSubset
from plismbench.errors import InvalidInput
from plismbench.evaluation.pair_metrics import PairMetrics, Slides, cores_of, pairs_of, part_schema
from plismbench.execution.threads import ThreadExecutor
from plismbench.pairs import SlidePair
from plismbench.results.aggregation import core_schema, pair_schema
from plismbench.search.engine import engine

KS = (1, 5)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, make_vectors(tiles=80))


def make_slides(store, capacity=6, n_tiles=80, limit=5):
    dataset = make_dataset(tiles=80)
    rows, executor = TileSubset(n_tiles, 80).rows(), ThreadExecutor(2, 2)
    return Slides(store, dataset, SLIDES, rows, limit, engine("faiss"), executor, capacity)


def first_pair(slides):
    (task,) = slides.both([SlidePair(*SLIDES[:2])], SLIDES)
    return task


def test_one_row_fits_the_tables(store):
    slides = make_slides(store)
    compare = PairMetrics(KS, "plism-1", engine("faiss"), slides.tissue)
    row = compare(first_pair(slides))
    parts = pl.DataFrame([row], schema=part_schema(KS))
    assert dict(pairs_of(parts, KS).schema) == pair_schema(KS)
    cores = cores_of(parts, KS)
    assert dict(cores.schema) == core_schema(KS)
    assert cores["tiles"].to_list() == [20] * 4
    assert cores["top_5"].sum() == round(row["top_5"] * 160)


def test_a_core_without_tiles_has_no_row(store):
    slides = make_slides(store, n_tiles=2)
    compare = PairMetrics((1,), "plism-1", engine("faiss"), slides.tissue)
    row = compare(first_pair(slides))
    cores = cores_of(pl.DataFrame([row], schema=part_schema((1,))), (1,))
    assert 1 <= len(cores) <= 2
    assert cores["tiles"].sum() == 2


def test_no_more_slides_are_held_than_fit_and_neighbours_are_found_once(store, monkeypatch):
    searches = []
    kind = type(engine("faiss"))
    nearest = kind.nearest
    monkeypatch.setattr(kind, "nearest", lambda self, *asked: searches.append(1) or nearest(self, *asked))
    slides = make_slides(store, capacity=3)
    for pair in (*pairwise(SLIDES), *pairwise(SLIDES[:3])):
        (task,) = slides.both([SlidePair(*pair)], pair)
        assert [len(slide.vectors) for slide in task[1:]] == [80, 80]
        assert len(slides._loaded) <= 3
    assert len(searches) == len(SLIDES)
    slides.both([SlidePair(SLIDES[0], SLIDES[5])], SLIDES[:2])  # in place of one that is not wanted
    assert sorted(slides._loaded) == [*SLIDES[:2], SLIDES[5]]


def test_rows_that_are_not_there_are_refused(tmp_path):
    short = make_store(tmp_path, make_vectors(tiles=30))
    with pytest.raises(InvalidInput, match="has 30 tiles"):
        first_pair(make_slides(short, n_tiles=70))
