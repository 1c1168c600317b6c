import subprocess
import sys

import numpy as np
import pytest
import torch
from oracle import unit
from vectors import PAIRS, placed

from plismbench.errors import InvalidInput, NeedsAction, ShapeMismatch, UnknownName
from plismbench.search.engine import (
    ENGINES,
    Neighbors,
    engine,
    engine_for,
    has_cuda_driver,
)


def make_slides(n=90, dim=40, seed=0):
    """Two slides of stored vectors, the second a noisy copy of the first."""
    random = np.random.default_rng(seed)
    a = random.standard_normal((n, dim)) * np.arange(1, dim + 1) ** -0.7
    b = a + 0.3 * random.standard_normal((n, dim)) * np.arange(1, dim + 1) ** -0.7
    return a.astype(np.float16), b.astype(np.float16)


def count_slowly(a, b, least_a, least_b):
    """One score at a time, in float64."""
    of_a, of_b = np.zeros(len(a), int), np.zeros(len(b), int)
    for i, x in enumerate(unit(a)):
        for j, y in enumerate(unit(b)):
            of_a[i] += x @ y >= least_a[i]
            of_b[j] += x @ y >= least_b[j]
    return of_a, of_b


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("lead", [1, 8, 32, 40])
@pytest.mark.parametrize("asked", [0.0, 0.3, 1.0])
def test_every_engine_counts_what_reaches(name, lead, asked):
    random = np.random.default_rng(lead)
    a, b = make_slides()
    matched = np.einsum("ij,ij->i", unit(a), unit(b)) - 1e-3
    least_a, least_b = (np.where(random.random(len(a)) < asked, matched, np.inf) for _ in range(2))
    search = engine(name)
    of_a, of_b = search.reaching(placed(search, a, lead), placed(search, b, lead), least_a, least_b)
    assert len(of_a.unsure) + len(of_b.unsure) < 10  # nearly all are sure, or the rounding is too large
    np.add.at(of_a.sure, of_a.unsure[:, 0], scores_of(a, b, of_a.unsure) >= least_a[of_a.unsure[:, 0]])
    np.add.at(of_b.sure, of_b.unsure[:, 0], scores_of(b, a, of_b.unsure) >= least_b[of_b.unsure[:, 0]])
    expected_a, expected_b = count_slowly(a, b, least_a, least_b)
    np.testing.assert_array_equal(of_a.sure, expected_a)
    np.testing.assert_array_equal(of_b.sure, expected_b)
    assert (of_a.sure[np.isinf(least_a)] == 0).all()
    if asked:
        assert of_a.sure.sum() > 0


def scores_of(a, b, pairs):
    return np.einsum("ij,ij->i", unit(a)[pairs[:, 0]], unit(b)[pairs[:, 1]])


@pytest.mark.parametrize("name", ENGINES)
def test_scores_within_the_rounding_are_unsure_and_not_counted(name):
    a = np.array([[1, 0], [0, 1]])
    b = np.array([[3, 4], [4, 3]])
    search = engine(name)
    least_a, least_b = np.array([0.6, np.inf]), np.array([np.inf, 0.7])
    of_a, of_b = search.reaching(placed(search, a), placed(search, b), least_a, least_b)
    assert (of_a.sure.tolist(), of_a.unsure.tolist()) == ([1, 0], [[0, 0]])  # .8 surely, .6 perhaps
    assert (of_b.sure.tolist(), of_b.unsure.tolist()) == ([0, 1], [])
    search.rounding = lambda dim: 0.5
    of_a, of_b = search.reaching(placed(search, a), placed(search, b), least_a, least_b)
    assert (of_a.sure.tolist(), sorted(of_a.unsure.tolist())) == ([0, 0], [[0, 0], [0, 1]])
    assert (of_b.sure.tolist(), sorted(of_b.unsure.tolist())) == ([0, 0], [[1, 0], [1, 1]])  # the own row first


@pytest.mark.parametrize("name", ENGINES)
def test_rows_with_hundreds_of_unsure_pairs_are_told_and_not_listed(name):
    a, _ = make_slides(300, 20)
    b = np.tile(a[:1], (300, 1))  # one vector: every row of it is as near as every other
    least = np.einsum("ij,ij->i", unit(a), unit(b))
    search = engine(name)
    nothing = np.full(300, np.inf)
    of_a, of_b = search.reaching(placed(search, a, 8), placed(search, b, 8), least, nothing)
    assert of_a.crowded.all()
    assert not of_b.crowded.any()
    assert len(of_a.unsure) == len(of_b.unsure) == 0
    _, of_a = search.reaching(placed(search, b, 8), placed(search, a, 8), nothing, least)
    assert of_a.crowded.all()
    assert len(of_a.unsure) == 0


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_finds_the_nearest_of_a_dense_search(name):
    a, _ = make_slides(50, 17)
    dense = unit(a) @ unit(a).T
    search = engine(name)
    for k in (1, 7, 50):
        found = search.nearest(placed(search, a, 5), k)
        expected = np.argsort(-dense, axis=1)[:, :k]
        np.testing.assert_array_equal(found.rows, expected)
        np.testing.assert_allclose(found.scores, np.take_along_axis(dense, expected, 1), atol=1e-6)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("pair", PAIRS)
def test_every_engine_has_the_products_of_the_stored_values_in_float64(pair, name):
    a, b = PAIRS[pair]()
    of_a, of_b = unit(a), unit(b)
    search = engine(name)
    slides = placed(search, a), placed(search, b)
    for slide, vectors in zip(slides, (of_a, of_b), strict=True):
        moments = search.moments(slide)
        np.testing.assert_allclose(moments.mean, vectors.mean(axis=0), atol=1e-14)
        np.testing.assert_allclose(moments.spread, np.linalg.norm(vectors - vectors.mean(axis=0), axis=1), atol=1e-14)
    found = search.paired(*slides)
    np.testing.assert_allclose(found.matched, (of_a * of_b).sum(axis=1), atol=1e-14)
    centred = ((of_a - of_a.mean(axis=0)) * (of_b - of_b.mean(axis=0))).sum(axis=1)
    np.testing.assert_allclose(found.centred, centred, atol=1e-14)
    pairs = np.argwhere(np.ones((len(a), len(b))))
    np.testing.assert_allclose(search.products(*slides, pairs), (of_a @ of_b.T).ravel(), atol=1e-14)
    assert search.products(*slides, pairs[:0]).shape == (0,)
    rows = np.array([len(a) - 1, 0])
    for one, others, of_others in ((0, 0, of_a), (0, 1, of_b)):
        scores = of_a @ of_others.T
        least = np.median(scores, axis=1) - 1e-13
        reaches = (scores >= least[:, None]) & ~np.eye(len(a), dtype=bool)
        found = search.count(slides[one], slides[others], rows, least)
        np.testing.assert_array_equal(found, reaches.sum(axis=1)[rows])
        assert search.count(slides[one], slides[others], rows[:0], least).shape == (0,)
    with pytest.raises(ShapeMismatch, match="same tiles and dim"):
        search.paired(slides[0], placed(search, b[:-1]))


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_refuses_what_cannot_be_answered(name):
    search = engine(name)
    slide = placed(search, np.eye(4))
    for k in (0, 5):
        with pytest.raises(InvalidInput, match=f"{k} neighbours among 4"):
            search.nearest(slide, k)


def test_an_unknown_engine_or_device_is_named_with_the_closest():
    with pytest.raises(UnknownName, match=r"'fais'.*'faiss'"):
        engine("fais")
    with pytest.raises(UnknownName, match=r"'cdua'.*'cuda'"):
        engine("torch", "cdua")


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    for driver, there, device, expected in (
        (False, False, "cuda", "torch"),  # which says that there is none
        (True, True, "auto", "torch"),
        (True, True, "cpu", "faiss"),
        (True, False, "auto", "faiss"),
        (False, True, "auto", "faiss"),
    ):
        monkeypatch.setattr("plismbench.search.engine.has_cuda_driver", lambda driver=driver: driver)
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert engine_for("auto", device) == expected
    assert engine_for("exact") == "exact"


def test_torch_without_a_driver_has_no_cuda():
    assert has_cuda_driver() or not torch.cuda.is_available()
    code = "import sys, plismbench.search.engine as e; e.engine_for('auto'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(has_cuda_driver())


def test_cuda_that_is_absent_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NeedsAction, match="No CUDA device"):
        engine("torch", "cuda")
    with pytest.raises(NeedsAction, match="'exact' searches on the CPU only"):
        engine("exact", "cuda")


def test_neighbours_check_themselves():
    scores, rows = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.int64)
    assert Neighbors(scores, rows).rows.shape == (2, 3)
    for bad in ((scores, rows[:1]), (scores.astype(np.float64), rows), (scores, rows.astype(np.int32))):
        with pytest.raises(ShapeMismatch):
            Neighbors(*bad)
