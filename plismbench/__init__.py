"""Robustness of pathology foundation models to stains and scanners, measured on PLISM."""

from plismbench.dataset import RegisteredDataset, Slide, TileSubset
from plismbench.errors import PlismbenchError
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision
from plismbench.pairs import PairGroup, SlidePair, slide_pairs

__version__ = "0.1.0"

__all__ = [
    "ExtractorSpec",
    "PairGroup",
    "PlismbenchError",
    "Pooling",
    "Precision",
    "RegisteredDataset",
    "Slide",
    "SlidePair",
    "TileSubset",
    "__version__",
    "slide_pairs",
]
