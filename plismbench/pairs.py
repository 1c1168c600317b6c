"""Every pair of slides and the group it belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from plismbench.dataset import Slide
from plismbench.errors import InvalidInput


class PairGroup(StrEnum):
    """What differs between the two slides of a pair."""

    CROSS_SCANNER = "cross-scanner"  # same staining, so the same physical section
    CROSS_STAINING = "cross-staining"  # same scanner, so a serial section
    CROSS_BOTH = "cross-both"
    ALL = "all"


class Axis(StrEnum):
    """What may differ between two slides."""

    SCANNER = "scanner"
    STAINING = "staining"

    @property
    def group(self) -> PairGroup:
        """The pairs in which nothing else differs."""
        return PairGroup.CROSS_SCANNER if self is Axis.SCANNER else PairGroup.CROSS_STAINING


@dataclass(frozen=True, order=True, slots=True)
class SlidePair:
    """Two different slides of the same tissue, the smaller first."""

    a: Slide
    b: Slide

    def __post_init__(self) -> None:
        if not self.a < self.b:
            raise InvalidInput(f"A pair needs two different slides in order; got {self.a} and {self.b}.")

    @property
    def codes(self) -> tuple[str, str, str, str]:
        """Staining and scanner of the one, then of the other: what names a pair in every table."""
        return self.a.staining, self.a.scanner, self.b.staining, self.b.scanner

    @property
    def group(self) -> PairGroup:
        """The one group besides ``all`` that holds this pair."""
        if self.a.staining == self.b.staining:
            return PairGroup.CROSS_SCANNER
        if self.a.scanner == self.b.scanner:
            return PairGroup.CROSS_STAINING
        return PairGroup.CROSS_BOTH


def slide_pairs(slides: Iterable[Slide]) -> tuple[SlidePair, ...]:
    """All unordered pairs, sorted: n (n - 1) / 2 of them, 4,095 for the 91 slides of PLISM."""
    return tuple(SlidePair(a, b) for a, b in combinations(sorted(set(slides)), 2))
