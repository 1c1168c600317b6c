"""What a registered data set is: slides of the same tissue, matched tile by tile."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plismbench.errors import InvalidInput, require_known

TILE_SIZE = 224
"""Side of a tile, in pixels (0.5 µm each, so 112 µm)."""


@dataclass(frozen=True, order=True, slots=True)
class Slide:
    """One acquisition: the tissue in one staining, seen by one scanner."""

    staining: str
    scanner: str

    def __post_init__(self) -> None:
        for code in (self.staining, self.scanner):
            if not (code.isascii() and code.isalnum()):
                raise InvalidInput(f"A staining or scanner code is letters and digits; got '{code}'.")

    def __str__(self) -> str:
        return f"{self.staining}_{self.scanner}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The slide called ``STAINING_SCANNER``, for example ``GMH_S60``."""
        staining, separator, scanner = name.partition("_")
        if not separator:
            raise InvalidInput(f"A slide is named STAINING_SCANNER, for example GMH_S60; got '{name}'.")
        return cls(staining, scanner)


@dataclass(frozen=True)
class RegisteredDataset:
    """Slides of the same tissue: tile i shows the same place on each of them.

    Args:
        name: what ``--dataset`` takes.
        title: how a person reads it.
        slides: every acquisition.
        default_slides: what is used when nothing is selected.
        tiles_per_slide: matched tiles on each slide, in (x, y) order.
        n_tiles: size of the evaluated subset unless asked otherwise.
        revision: which edition of the data; part of every result's signature.
        cores: resource with the centres of its tissue cores; None for blocks of neighbouring tiles.
        tiles_sha256: of the ids of a slide's tiles in (x, y) order, one a line; not checked if empty.
    """

    name: str
    title: str
    slides: tuple[Slide, ...]
    default_slides: tuple[Slide, ...]
    tiles_per_slide: int
    n_tiles: int
    revision: str
    cores: str | None = None
    tiles_sha256: str = ""

    def __post_init__(self) -> None:
        if len(set(self.slides)) != len(self.slides):
            raise InvalidInput(f"Data set '{self.name}' lists a slide twice.")
        if not set(self.default_slides) <= set(self.slides):
            raise InvalidInput(f"Data set '{self.name}' has default slides that it does not list.")
        if not 1 <= self.n_tiles <= self.tiles_per_slide:
            raise InvalidInput(f"Data set '{self.name}' evaluates {self.n_tiles} of {self.tiles_per_slide} tiles.")

    @property
    def option(self) -> str:
        """What ``--dataset`` takes."""
        return self.name

    @property
    def stainings(self) -> tuple[str, ...]:
        """Staining codes, in the order of the slides."""
        return tuple(dict.fromkeys(slide.staining for slide in self.slides))

    @property
    def scanners(self) -> tuple[str, ...]:
        """Scanner codes, in the order of the slides."""
        return tuple(dict.fromkeys(slide.scanner for slide in self.slides))

    def select(
        self,
        slides: Sequence[str] = (),
        stainings: Sequence[str] = (),
        scanners: Sequence[str] = (),
        excluded: Sequence[str] = (),
    ) -> tuple[Slide, ...]:
        """The slides asked for, sorted.

        Nothing asked gives ``default_slides``; ``slides=["all"]``, a staining or a scanner starts
        from every slide, and stainings and scanners narrow it down. Excluded slides go last.

        Raises:
            UnknownName: for a slide, staining or scanner that this data set does not have.
            InvalidInput: if nothing is left.
        """
        known = {str(slide): slide for slide in self.slides}
        for kind, asked, names in (
            ("slide", [name for name in slides if name != "all"], list(known)),
            ("staining", stainings, self.stainings),
            ("scanner", scanners, self.scanners),
            ("slide", excluded, list(known)),
        ):
            require_known(f"{kind} of data set '{self.name}'", asked, names)
        if slides:
            chosen = set(self.slides) if "all" in slides else {known[name] for name in slides}
        else:
            chosen = set(self.slides if stainings or scanners else self.default_slides)
        if stainings:
            chosen = {slide for slide in chosen if slide.staining in stainings}
        if scanners:
            chosen = {slide for slide in chosen if slide.scanner in scanners}
        chosen -= {known[name] for name in excluded}
        if not chosen:
            raise InvalidInput("No slide is left by this choice of slides, stainings and scanners.")
        return tuple(sorted(chosen))


@dataclass(frozen=True)
class TileSubset:
    """The tiles that an evaluation uses: the same random draw as the published results.

    ``numpy.random.default_rng(42).choice(total, n_tiles, replace=False)`` gives, on tiles sorted
    by (x, y), the 460, 2,713 and 8,139 tiles of plism-benchmark.
    """

    seed: ClassVar[int] = 42

    n_tiles: int
    total: int

    def __post_init__(self) -> None:
        if not 2 <= self.n_tiles <= self.total:
            raise InvalidInput(
                f"Cannot evaluate {self.n_tiles:,} tiles: a slide has {self.total:,}, and a pair needs 2."
            )

    def rows(self) -> npt.NDArray[np.int64]:
        """(n_tiles,) int64, ascending row numbers; errors are those of ``drawn``."""
        return np.sort(self.drawn())

    def drawn(self) -> npt.NDArray[np.int64]:
        """(n_tiles,) int64 row numbers, in the order in which they were drawn; ascending where all are.

        Raises:
            InvalidInput: if this NumPy draws other tiles than the published ones (its stream is
                not promised to stay the same between versions).
        """
        if self.n_tiles == self.total:
            return np.arange(self.total, dtype=np.int64)
        rows = np.random.default_rng(self.seed).choice(self.total, self.n_tiles, replace=False).astype(np.int64)
        expected = _SUBSET_SHA256.get((self.seed, self.total, self.n_tiles))
        if expected and hashlib.sha256(np.sort(rows).astype("<i8").tobytes()).hexdigest() != expected:
            raise InvalidInput(
                f"NumPy {np.__version__} draws other tiles than the published {self.n_tiles:,}-tile subset.",
                hint="Install NumPy 2.4, which draws them, and report this.",
            )
        return rows


# (seed, total, n_tiles): SHA-256 of the ascending row numbers as little-endian int64.
_SUBSET_SHA256 = {
    (42, 16_278, 460): "9c3d1b6ccc1898f7e5804f9230220b2e68fcb9e70e922fa1c79e9dd4dd4b7664",
    (42, 16_278, 2_713): "c10898303320a8f8c3c8cee800cff6dfa041d4d210e9098abd52b27e2f5927bc",
    (42, 16_278, 8_139): "536480760be869052000859c9c7dfe3ee9b67d759fafbd180a07cb8cf7c96445",
}

PLISM_STAININGS = ("GIV", "GIVH", "GM", "GMH", "GV", "GVH", "HR", "HRH", "KR", "KRH", "LM", "LMH", "MY")
PLISM_SCANNERS = ("AT2", "GT450", "P", "S210", "S360", "S60", "SQ")
_PLISM_SLIDES = tuple(Slide(*codes) for codes in product(PLISM_STAININGS, PLISM_SCANNERS))

PLISM = RegisteredDataset(
    name="plism",
    title="PLISM (46 tissues, 13 H&E stainings × 7 scanners)",
    slides=_PLISM_SLIDES,
    default_slides=_PLISM_SLIDES,
    tiles_per_slide=16_278,
    n_tiles=8_139,
    revision="main",
    cores="plism_cores.json",
    tiles_sha256="34c3aec281adbea347ab53a0a89acec9eec971598f3b6e299f6ce0058abdbcc8",
)

DEMO = RegisteredDataset(
    name="demo",
    title="Demo (one skin section, simulated stainings and scanners)",
    slides=_PLISM_SLIDES,
    default_slides=tuple(Slide(*codes) for codes in product(("GMH", "HR"), ("AT2", "S60"))),
    tiles_per_slide=256,
    n_tiles=256,
    revision="1",
)

DATASETS = {dataset.name: dataset for dataset in (PLISM, DEMO)}


def dataset_named(name: str) -> RegisteredDataset:
    """The registered data set of that name.

    Raises:
        UnknownName: if there is none.
    """
    require_known("data set", [name], DATASETS)
    return DATASETS[name]
