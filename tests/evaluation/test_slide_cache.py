from itertools import pairwise

import pytest
from stores import SLIDES, make_cache, make_store, make_vectors

from plismbench.errors import InvalidInput
from plismbench.evaluation.slide_cache import slides_that_fit
from plismbench.pairs import SlidePair
from plismbench.search.engine import engine


def test_no_more_slides_are_held_than_fit_and_neighbours_are_found_once(tmp_path, monkeypatch):
    searches = []
    kind = type(engine("faiss"))
    nearest = kind.nearest
    monkeypatch.setattr(kind, "nearest", lambda self, *asked: searches.append(1) or nearest(self, *asked))
    cache = make_cache(make_store(tmp_path, make_vectors(tiles=80)), capacity=3)
    for pair in (*pairwise(SLIDES), *pairwise(SLIDES[:3])):
        (task,) = cache.tasks([SlidePair(*pair)], pair)
        assert [len(slide.vectors) for slide in task[1:]] == [80, 80]
        assert len(cache._loaded) <= 3
    assert len(searches) == len(SLIDES)
    cache.tasks([SlidePair(SLIDES[0], SLIDES[5])], SLIDES[:2])  # in place of one that is not wanted
    assert sorted(cache._loaded) == [*SLIDES[:2], SLIDES[5]]


def test_rows_that_are_not_there_are_refused(tmp_path):
    short = make_store(tmp_path, make_vectors(tiles=30))
    with pytest.raises(InvalidInput, match="has 30 tiles"):
        _ = make_cache(short, n_tiles=70).tissue


def test_memory_for_less_than_two_slides_is_refused():
    with pytest.raises(InvalidInput, match=r"need 0\.73 GB; 0\.1 GB are allowed"):
        slides_that_fit(10**8, 91, 16_278, 3_072, 10)
