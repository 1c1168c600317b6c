import polars as pl
import pytest
from stores import SLIDES, make_cache, make_store, make_vectors

from plismbench.evaluation.pair_metrics import PairMetrics
from plismbench.evaluation.partial_results import cores_of, pairs_of, part_schema
from plismbench.pairs import SlidePair
from plismbench.results.aggregation import core_schema, pair_schema
from plismbench.search.engine import engine

KS = (1, 5)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, make_vectors(tiles=80))


def row_of_first_pair(store, ks, n_tiles=80):
    cache = make_cache(store, n_tiles=n_tiles)
    (task,) = cache.tasks([SlidePair(*SLIDES[:2])], SLIDES)
    return PairMetrics(ks, "plism-1", engine("faiss"), cache.tissue)(task)


def test_one_row_fits_the_tables(store):
    row = row_of_first_pair(store, KS)
    parts = pl.DataFrame([row], schema=part_schema(KS))
    assert dict(pairs_of(parts, KS).schema) == pair_schema(KS)
    cores = cores_of(parts, KS)
    assert dict(cores.schema) == core_schema(KS)
    assert cores["tiles"].to_list() == [20] * 4
    assert cores["top_5"].sum() == round(row["top_5"] * 160)


def test_a_core_without_tiles_has_no_row(store):
    row = row_of_first_pair(store, (1,), n_tiles=2)
    cores = cores_of(pl.DataFrame([row], schema=part_schema((1,))), (1,))
    assert 1 <= len(cores) <= 2
    assert cores["tiles"].sum() == 2
