import numpy as np
import pytest

from plismbench.errors import InvalidInput, ShapeMismatch, UnknownName
from plismbench.search.engine import ENGINES, Neighbors, check_query, engine


def test_an_unknown_engine_is_named_with_the_closest():
    with pytest.raises(UnknownName, match=r"'fais'.*'faiss'"):
        engine("fais")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_answers_like_a_dense_search(name):
    random = np.random.default_rng(0)
    queries = random.standard_normal((30, 17)).astype(np.float32)
    database = random.standard_normal((50, 17)).astype(np.float32)
    dense = queries.astype(np.float64) @ database.astype(np.float64).T
    for k in (1, 7, 50):
        found = engine(name)(queries, database, k)
        expected = np.argsort(-dense, axis=1)[:, :k]
        np.testing.assert_array_equal(found.rows, expected)
        np.testing.assert_allclose(found.scores, np.take_along_axis(dense, expected, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_refuses_what_cannot_be_answered(name):
    queries, database = np.zeros((2, 3), np.float32), np.zeros((4, 3), np.float32)
    for k in (0, 5):
        with pytest.raises(InvalidInput, match=f"{k} neighbours among 4"):
            engine(name)(queries, database, k)
    with pytest.raises(ShapeMismatch, match="differ in width"):
        engine(name)(queries, np.zeros((4, 2), np.float32), 1)


def test_a_query_that_fits_is_let_through():
    assert check_query(np.zeros((2, 3), np.float32), np.zeros((4, 3), np.float32), 4) is None


def test_neighbours_check_themselves():
    scores, rows = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.int64)
    assert Neighbors(scores, rows).rows.shape == (2, 3)
    for bad in ((scores, rows[:1]), (scores.astype(np.float64), rows), (scores, rows.astype(np.int32))):
        with pytest.raises(ShapeMismatch):
            Neighbors(*bad)
