"""The directions of a slide's vectors, and what is computed from them in float64."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from plismbench.errors import ShapeMismatch
from plismbench.search.vectors import Float64, Int64, SlideVectors, chunks


@dataclass(frozen=True)
class Moments:
    """Where the directions of a slide lie.

    Args:
        mean: (dim,) float64 mean of the directions.
        spread: (n_tiles,) float64 distance of each direction from it.
    """

    mean: Float64
    spread: Float64


@dataclass(frozen=True)
class PairedProducts:
    """Inner products of the directions of counterparts: row i of one slide with row i of another.

    Args:
        matched: (n_tiles,) float64.
        centred: (n_tiles,) float64, after each slide's mean is subtracted from its directions.
    """

    matched: Float64
    centred: Float64


Form = TypeVar("Form")


@dataclass(frozen=True)
class OnHost(Generic[Form]):
    """A slide placed on the CPU: its vectors, and the form of them that an engine searches."""

    vectors: SlideVectors
    form: Form

    @cached_property
    def moments(self) -> Moments:
        """Mean and spread of the directions."""
        n_tiles, dim = self.vectors.stored.shape
        total, spread = np.zeros(dim), np.empty(n_tiles)
        for rows in chunks(n_tiles, dim):
            total += self.vectors.exact(rows).sum(axis=0)
        mean = total / n_tiles
        for rows in chunks(n_tiles, dim):
            centred = self.vectors.exact(rows) - mean
            spread[rows] = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        return Moments(mean, spread)


class HostArithmetic:
    """The part of an engine that does not search, with NumPy."""

    def rounding(self, dim: int) -> float:
        """Largest error of a float32 inner product of two unit vectors of float32.

        With u = 2⁻²⁴, the product of two unit vectors is off by at most dim·u in whatever order it
        is summed (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), each vector
        by u a component, and sums and differences of a few such numbers by u each.
        """
        return float((dim + 16) * 2.0**-24)

    def moments(self, slide: OnHost[Any]) -> Moments:
        """Mean and spread of the directions."""
        return slide.moments

    def products(self, a: OnHost[Any], b: OnHost[Any], pairs: Int64) -> Float64:
        """Some of each slide's rows at a time."""
        products = np.empty(len(pairs))
        for some in chunks(len(pairs), 2 * a.vectors.stored.shape[1]):
            of_a, of_b = pairs[some].T
            products[some] = np.einsum("ij,ij->i", a.vectors.exact(of_a), b.vectors.exact(of_b))
        return products

    def paired(self, a: OnHost[Any], b: OnHost[Any]) -> PairedProducts:
        """With einsum, not BLAS: its order of summation does not depend on the number of threads."""
        check_same_shape(a.vectors.stored.shape, b.vectors.stored.shape)
        n_tiles, dim = a.vectors.stored.shape
        matched, centred = np.empty(n_tiles), np.empty(n_tiles)
        for rows in chunks(n_tiles, dim):
            of_a, of_b = a.vectors.exact(rows), b.vectors.exact(rows)
            matched[rows] = np.einsum("ij,ij->i", of_a, of_b)
            centred[rows] = np.einsum("ij,ij->i", of_a - a.moments.mean, of_b - b.moments.mean)
        return PairedProducts(matched, centred)


def check_same_shape(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Refuses two slides of unlike shape, whose rows cannot be the same tiles.

    Raises:
        ShapeMismatch: if they differ in tiles or in dim.
    """
    if a != b:
        raise ShapeMismatch(f"Slides of a pair have the same tiles and dim; got {tuple(a)} and {tuple(b)}.")
