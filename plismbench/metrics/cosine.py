"""Cosine similarity of counterparts."""

import numpy as np
import numpy.typing as npt

from plismbench.metrics.vectors import SlideVectors, check_counterparts, chunks


def paired_cosine(a: SlideVectors, b: SlideVectors) -> npt.NDArray[np.float64]:
    """Cosine of each tile with its counterpart: a_i · b_i / (‖a_i‖ ‖b_i‖).

    Computed in float64 from the stored float16, so that it also serves as the threshold of exact
    retrieval; the cosine similarity of the pair is its mean.

    Args:
        a: one slide.
        b: another; row i of both is the same tissue.

    Returns:
        (n_tiles,) float64 in [-1, 1] up to rounding; 0 where a vector is all zeros.

    Raises:
        ShapeMismatch: if the two slides differ in tiles or in dim.

    Example:
        >>> a = SlideVectors(np.array([[3, 4], [1, 0]], np.float16))
        >>> b = SlideVectors(np.array([[6, 8], [0, 2]], np.float16))
        >>> paired_cosine(a, b).tolist()
        [1.0, 0.0]
    """
    check_counterparts(a, b)
    products = np.empty(len(a))
    for rows in chunks(len(a), a.dim):
        products[rows] = np.einsum("ij,ij->i", a.stored[rows].astype(np.float64), b.stored[rows].astype(np.float64))
    products /= a.norms * b.norms
    return products
