"""Pairs of slides of every kind that a metric must survive."""

import numpy as np

from plismbench.search.vectors import PrincipalAxes, SlideVectors


def placed(search, stored, lead=1):
    """Vectors as an engine wants them, along the axes that they have."""
    axes = PrincipalAxes(np.eye(np.shape(stored)[1]), lead)
    return search.place(SlideVectors(np.asarray(stored, np.float16)), lambda: axes)


def random_pair(n=60, dim=24, noise=1.0, seed=0):
    """Tiles at random places, the second slide a noisy copy."""
    random = np.random.default_rng(seed)
    a = random.standard_normal((n, dim))
    return a.astype(np.float16), (a + noise * random.standard_normal((n, dim))).astype(np.float16)


def clustered_pair(n=60, dim=24, seed=1):
    """A few tissues, many similar tiles of each, and a shift of the whole slide."""
    random = np.random.default_rng(seed)
    centres = 4 * random.standard_normal((5, dim))
    a = centres[random.integers(0, 5, n)] + 0.4 * random.standard_normal((n, dim))
    b = a + 2 * random.standard_normal(dim) + 0.3 * random.standard_normal((n, dim))
    return a.astype(np.float16), b.astype(np.float16)


def duplicated_pair(n=60, dim=24, seed=2):
    """Blank tiles: half of the rows are one vector, the same on both slides."""
    a, b = random_pair(n, dim, 0.5, seed)
    a[::2] = b[::2] = a[0]
    return a, b


def nearly_duplicated_pair(n=60, dim=24, seed=3):
    """Similarities that differ by less than float32 can tell, but do differ in the stored values."""
    random = np.random.default_rng(seed)
    base = (100 * np.ones(dim)).astype(np.float16)
    a, b = np.tile(base, (n, 1)), np.tile(base, (n, 1))
    rows = np.arange(n)
    a[rows, random.integers(0, dim, n)] += np.float16(0.0625)
    b[rows, random.integers(0, dim, n)] += np.float16(0.0625)
    return a, b


def collapsed_pair(n=60, dim=24, seed=4):
    """All vectors equal."""
    vector = np.random.default_rng(seed).standard_normal(dim).astype(np.float16)
    return np.tile(vector, (n, 1)), np.tile(vector, (n, 1))


def zero_pair(n=60, dim=24, seed=5):
    """Some vectors are all zeros, on one slide or on both."""
    a, b = random_pair(n, dim, 0.5, seed)
    a[:10] = 0
    b[5:15] = 0
    return a, b


def large_pair(n=60, dim=24, seed=6):
    """Norms far above what float16 holds."""
    a, b = random_pair(n, dim, 0.7, seed)
    return (a.astype(np.float32) * 15_000).clip(-65_000, 65_000).astype(np.float16), b


PAIRS = {
    maker.__name__: maker
    for maker in (
        random_pair,
        clustered_pair,
        duplicated_pair,
        nearly_duplicated_pair,
        collapsed_pair,
        zero_pair,
        large_pair,
    )
}
