"""The definitions of docs/metrics.md, written the slow obvious way: dense, float64, one tile at a time."""

import numpy as np

TIE = 1e-12


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def cosine(a, b):
    """Cosine similarity of a pair of slides."""
    return float(np.mean([x @ y for x, y in zip(unit(a), unit(b), strict=True)]))


def ranks(a, b):
    """Rank of the counterpart of every tile of ``a``, then of every tile of ``b``."""
    both = np.concatenate([unit(a), unit(b)])
    n = len(a)
    similarity = both @ both.T
    found = []
    for query in range(2 * n):
        counterpart = (query + n) % (2 * n)
        others = [row for row in range(2 * n) if row not in (query, counterpart)]
        threshold = similarity[query, counterpart] - TIE
        found.append(sum(similarity[query, row] >= threshold for row in others))
    return np.array(found[:n]), np.array(found[n:])


def accuracy(a, b, k):
    """Top-k retrieval accuracy of a pair of slides."""
    of_a, of_b = ranks(a, b)
    return (np.sum(of_a < k) + np.sum(of_b < k)) / (2 * len(a))


def random_cosine(a, b):
    """Mean cosine of tiles that do not match."""
    similarity = unit(a) @ unit(b).T
    return float(np.mean(similarity[~np.eye(len(a), dtype=bool)]))


def centred_cosine(a, b):
    """Cosine similarity after the mean direction of each slide is subtracted."""
    centred = [unit(vectors) - unit(vectors).mean(axis=0) for vectors in (a, b)]
    values = []
    for x, y in zip(*centred, strict=True):
        lengths = np.linalg.norm(x), np.linalg.norm(y)
        values.append(x @ y / np.prod(lengths) if min(lengths) > 1e-9 else 0.0)
    return float(np.mean(values))
