import numpy as np
import pytest
from oracle import unit
from vectors import PAIRS

from plismbench.errors import NonFiniteValue, ShapeMismatch
from plismbench.search import pruned
from plismbench.search.unsure import float32_rounding
from plismbench.search.vectors import PrincipalAxes, SlideVectors, chunks, principal_axes


@pytest.mark.parametrize("pair", PAIRS)
def test_directions_are_those_of_the_stored_vectors(pair):
    stored, _ = PAIRS[pair]()
    vectors = SlideVectors(stored)
    np.testing.assert_allclose(vectors.exact(np.arange(len(stored))), unit(stored), atol=1e-15)
    np.testing.assert_allclose(vectors.exact(slice(3, 9)), unit(stored)[3:9], atol=1e-15)


def test_what_a_small_slide_keeps_are_the_same_numbers_and_nobody_may_change_them(monkeypatch):
    stored, _ = PAIRS["zero_pair"]()
    kept = SlideVectors(stored)
    rows = np.array([3, 3, 0])
    monkeypatch.setattr("plismbench.search.vectors._KEPT_NUMBERS", stored.size)
    here = kept.exact(slice(2, 7)), kept.exact(rows)
    assert np.shares_memory(here[0], kept.exact(slice(None)))
    with pytest.raises(ValueError, match="read-only"):
        kept.exact(slice(None))[0, 0] = 1
    monkeypatch.setattr("plismbench.search.vectors._KEPT_NUMBERS", stored.size - 1)
    computed = SlideVectors(stored)
    assert not np.shares_memory(computed.exact(slice(None)), computed.exact(slice(None)))
    for asked, before in zip((slice(2, 7), rows), here, strict=True):
        np.testing.assert_array_equal(computed.exact(asked), before)


def reflected(slides):
    """Axes of any width at once: the first is the mean direction, as that of principal axes nearly is."""
    (mean,) = (vectors.exact(slice(None)).mean(axis=0) for vectors in slides)
    normal = mean / np.linalg.norm(mean)
    normal[0] -= 1
    return PrincipalAxes(np.eye(len(normal)) - 2 * np.outer(normal, normal) / (normal @ normal), len(normal) // 2)


@pytest.mark.parametrize(("dim", "axes_of"), [(3, principal_axes), (768, principal_axes), (4_608, reflected)])
def test_float32_products_stay_within_the_stated_rounding(dim, axes_of):
    random = np.random.default_rng(dim)
    vectors = SlideVectors(np.abs(random.standard_normal((40, dim))).astype(np.float16))
    exact = unit(vectors.stored) @ unit(vectors.stored).T
    rotated = axes_of([vectors]).rotated(vectors)
    assert np.abs(rotated @ rotated.T - exact).max() <= float32_rounding(dim)
    split = pruned.split(rotated, max(1, dim // 3))
    bounds = split.lead @ split.lead.T
    scores = bounds - np.outer(split.lead[:, -1], split.lead[:, -1]) + split.rest @ split.rest.T
    assert np.abs(scores - exact).max() <= float32_rounding(dim)
    assert (bounds >= exact - float32_rounding(dim)).all()


def test_rotation_keeps_every_product_and_gathers_length():
    random = np.random.default_rng(0)
    mixed = np.linalg.qr(random.standard_normal((96, 96)))[0]
    slides = [
        SlideVectors((random.standard_normal((300, 96)) * np.arange(1, 97) ** -1.0 @ mixed).astype(np.float16))
        for _ in range(2)
    ]
    axes = principal_axes(slides)
    np.testing.assert_allclose(axes.axes.T @ axes.axes, np.eye(96), atol=1e-13)
    rotated = axes.rotated(slides[0])
    np.testing.assert_allclose(rotated @ rotated.T, unit(slides[0].stored) @ unit(slides[0].stored).T, atol=1e-6)
    outside = np.mean(np.sum(rotated[:, axes.lead :] ** 2, axis=1))
    assert axes.lead % 32 == 0
    assert axes.lead <= 48
    assert outside < 0.06
    assert np.mean(np.sum(slides[0].exact(slice(None))[:, axes.lead :] ** 2, axis=1)) > 0.4


def test_axes_of_small_flat_and_empty_vectors():
    flat = SlideVectors(np.random.default_rng(1).standard_normal((500, 200)).astype(np.float16))
    assert principal_axes([flat]).lead == 100  # nothing stands out: at most half
    for dim in (1, 8, 32, 33):
        assert principal_axes([SlideVectors(np.ones((4, dim), np.float16))]).lead == min(dim, 32)
    assert principal_axes([SlideVectors(np.zeros((4, 64), np.float16))]).lead == 32
    with pytest.raises(ShapeMismatch, match="No vectors"):
        principal_axes([])
    with pytest.raises(ShapeMismatch, match="dim 200 and 3"):
        principal_axes([flat, SlideVectors(np.ones((4, 3), np.float16))])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    with pytest.raises(NonFiniteValue):
        SlideVectors(np.array([[1, bad]], np.float16))


def test_other_types_are_refused():
    with pytest.raises(ShapeMismatch, match="float32"):
        SlideVectors(np.ones((2, 2), np.float32))


def test_chunks_cover_every_row_once():
    rows = np.concatenate([np.arange(1_000)[piece] for piece in chunks(1_000, 3_000)])
    assert rows.tolist() == list(range(1_000))
    assert list(chunks(0, 10)) == []
