import polars as pl
import pytest
from stores import SLIDES, make_dataset, make_store, make_vectors

from plismbench.aggregation import core_schema, pair_schema
from plismbench.comparison import Comparison, Slides, cores_of, pairs_of, part_schema
from plismbench.dataset import TileSubset
from plismbench.errors import InvalidInput
from plismbench.pairs import SlidePair
from plismbench.search.engine import engine

KS = (1, 5)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, make_vectors(tiles=80))


def make_slides(store, capacity=6, n_tiles=80, limit=5):
    dataset = make_dataset(tiles=80)
    return Slides(store, dataset, SLIDES, TileSubset(n_tiles, 80).rows(), limit, engine("faiss"), capacity)


def test_one_row_fits_the_tables(store):
    slides = make_slides(store)
    compare = Comparison(KS, "plism-1", engine("faiss"), slides.tissue)
    row = compare((SlidePair(*SLIDES[:2]), slides[SLIDES[0]], slides[SLIDES[1]]))
    parts = pl.DataFrame([row], schema=part_schema(KS))
    assert dict(pairs_of(parts, KS).schema) == pair_schema(KS)
    cores = cores_of(parts, KS)
    assert dict(cores.schema) == core_schema(KS)
    assert cores["tiles"].to_list() == [20] * 4
    assert cores["top_5"].sum() == round(row["top_5"] * 160)


def test_a_core_without_tiles_has_no_row(store):
    slides = make_slides(store, n_tiles=2)
    compare = Comparison((1,), "plism-1", engine("faiss"), slides.tissue)
    row = compare((SlidePair(*SLIDES[:2]), slides[SLIDES[0]], slides[SLIDES[1]]))
    cores = cores_of(pl.DataFrame([row], schema=part_schema((1,))), (1,))
    assert 1 <= len(cores) <= 2
    assert cores["tiles"].sum() == 2


def test_no_more_slides_are_held_than_fit_and_neighbours_are_found_once(store, monkeypatch):
    searches = []
    kind = type(engine("faiss"))
    nearest = kind.nearest
    monkeypatch.setattr(kind, "nearest", lambda self, *asked: searches.append(1) or nearest(self, *asked))
    slides = make_slides(store, capacity=2)
    for slide in (*SLIDES, *SLIDES[:2]):
        assert len(slides[slide].vectors) == 80
        assert len(slides._loaded) <= 2
    assert len(searches) == len(SLIDES)
    slides.want(SLIDES[:2])
    _ = slides[SLIDES[5]], slides[SLIDES[0]], slides[SLIDES[1]]
    assert sorted(slides._loaded) == list(SLIDES[:2])


def test_rows_that_are_not_there_are_refused(tmp_path):
    short = make_store(tmp_path, make_vectors(tiles=30))
    with pytest.raises(InvalidInput, match="has 30 tiles"):
        _ = make_slides(short, n_tiles=70)[SLIDES[0]]
