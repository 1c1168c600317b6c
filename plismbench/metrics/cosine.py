"""Cosine similarity of counterparts, and what puts it into proportion."""

from dataclasses import dataclass

import numpy as np

from plismbench.search.engine import Moments, PairedProducts
from plismbench.search.vectors import Float64

_NO_SPREAD = 1e-9
"""Directions nearer to their mean than this do not differ from it: float64 leaves about 1e-16."""


@dataclass(frozen=True)
class PairedCosines:
    """Cosines between the tiles of two slides.

    Args:
        matched: (n_tiles,) float64 in [-1, 1] up to rounding, of each tile with its counterpart;
            0 where a vector is all zeros. It is also the threshold of exact retrieval.
        centred: (n_tiles,) float64, the same after the mean direction of its slide is subtracted
            from every direction; 0 where nothing is left.
        random: mean cosine of the tiles of one slide with those of the other that do not match
            them. The nearer to 1, the less a high ``matched`` says.
    """

    matched: Float64
    centred: Float64
    random: float

    @property
    def lift(self) -> float:
        """(mean of matched - random) / (1 - random): 0 for a model that tells no tiles apart, 1 at best.

        0 where all vectors are one, so that nothing can be lifted.
        """
        room = 1 - self.random
        return float((self.matched.mean() - self.random) / room) if room > _NO_SPREAD else 0.0


def paired_cosines(a: Moments, b: Moments, products: PairedProducts) -> PairedCosines:
    """Cosines of two slides, in float64 from the stored float16.

    With directions u = x / ‖x‖ and their mean m, matched is uᵢᵃ · uᵢᵇ, centred is
    (uᵢᵃ - mᵃ) · (uᵢᵇ - mᵇ) / (‖uᵢᵃ - mᵃ‖ ‖uᵢᵇ - mᵇ‖), and random the mean of uᵢᵃ · uⱼᵇ over i ≠ j.

    Args:
        a: of one slide.
        b: of another; row i of both is the same tissue.
        products: of the two.

    Example:
        >>> flat = Moments(mean=np.array([0.5, 0.5]), spread=np.array([0.5**0.5] * 2))  # of (1, 0) and (0, 1)
        >>> found = paired_cosines(flat, flat, PairedProducts(matched=np.ones(2), centred=np.full(2, 0.5)))
        >>> found.centred.round(12).tolist(), found.random, found.lift
        ([1.0, 1.0], 0.0, 1.0)
    """
    matched, n_tiles = products.matched, len(products.matched)
    differs = (a.spread > _NO_SPREAD) & (b.spread > _NO_SPREAD)
    centred = np.zeros(n_tiles)
    np.divide(products.centred, a.spread * b.spread, out=centred, where=differs)
    means = float(np.einsum("j,j->", a.mean, b.mean))
    random = (n_tiles**2 * means - float(matched.sum())) / (n_tiles * (n_tiles - 1)) if n_tiles > 1 else 0.0
    return PairedCosines(matched, centred, random)
