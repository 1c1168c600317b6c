"""Slides in the memory of the machine, and what is computed from them there in float64, with NumPy."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from plismbench.search.engine import Moments, PairedProducts, check_same_shape
from plismbench.search.unsure import float32_rounding
from plismbench.search.vectors import Float64, Int64, SlideVectors, chunks

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
        """That of float32."""
        return float32_rounding(dim)

    def moments(self, slide: OnHost[Any]) -> Moments:
        """Mean and spread of the directions."""
        return slide.moments

    def products(self, a: OnHost[Any], b: OnHost[Any], pairs: Int64) -> Float64:
        """Some of each slide's rows at a time."""
        products = np.empty(len(pairs))
        for some in chunks(len(pairs), 2 * a.vectors.dim):
            of_a, of_b = pairs[some].T
            products[some] = np.einsum("ij,ij->i", a.vectors.exact(of_a), b.vectors.exact(of_b))
        return products

    def count(self, a: OnHost[Any], b: OnHost[Any], rows: Int64, least: Float64) -> Int64:
        """Some of each slide's rows at a time."""
        return count_exactly(a.vectors, b.vectors, rows, least)

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


def count_exactly(a: SlideVectors, b: SlideVectors, rows: Int64, least: Float64) -> Int64:
    """As `Engine.count`, of slides that no engine has placed."""
    counts = np.zeros(len(rows), np.int64)
    for some in chunks(len(rows), a.dim):
        of_a, threshold = a.exact(rows[some]), least[rows[some]][:, None]
        for part in chunks(len(b), b.dim):
            reaches = of_a @ b.exact(part).T >= threshold
            same = rows[some][:, None] == np.arange(len(b))[part]
            counts[some] += (reaches & ~same).sum(axis=1)
    return counts
