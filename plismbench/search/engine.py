"""The contract of exact nearest-neighbour search."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plismbench.errors import InvalidInput, ShapeMismatch, UnknownName


@dataclass(frozen=True)
class Neighbors:
    """The k best rows of a database for each query.

    Args:
        scores: (n_queries, k) float32 inner products, descending.
        rows: (n_queries, k) int64 row numbers in the database.

    Raises:
        ShapeMismatch: if the arrays differ in shape or have other types.
    """

    scores: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        fits = self.scores.ndim == 2 and self.scores.shape == self.rows.shape
        if not fits or self.scores.dtype != np.float32 or self.rows.dtype != np.int64:
            raise ShapeMismatch(
                f"Neighbours are (n_queries, k) float32 and int64; got {self.scores.shape} {self.scores.dtype}"
                f" and {self.rows.shape} {self.rows.dtype}."
            )


class Engine(Protocol):
    """Exact search by inner product.

    Args of a call:
        queries: (n_queries, dim) float32, C-contiguous.
        database: (n_rows, dim) float32, C-contiguous.
        k: neighbours a query, at most n_rows.

    Every product is accumulated in float32 or better; which of two rows comes first when their
    scores agree to rounding is open, and no caller may depend on it.
    """

    def __call__(self, queries: npt.NDArray[np.float32], database: npt.NDArray[np.float32], k: int, /) -> Neighbors:
        """The k rows of the database with the largest inner product, for each query."""
        ...


ENGINES = ("exact", "faiss", "torch")


def engine(name: str) -> Engine:
    """The engine of that name; its library is imported here.

    Raises:
        UnknownName: if there is none.
    """
    match name:
        case "exact":
            from plismbench.search.exact import search_exactly

            return search_exactly
        case "faiss":
            from plismbench.search.faiss_flat import search_faiss

            return search_faiss
        case "torch":
            from plismbench.search.torch_matmul import search_torch

            return search_torch
    raise UnknownName("search engine", name, ENGINES)


def check_query(queries: npt.NDArray[np.float32], database: npt.NDArray[np.float32], k: int) -> None:
    """Refuses what no engine can answer.

    Raises:
        ShapeMismatch: if queries and database are not matrices of one width.
        InvalidInput: if k is not between 1 and the rows of the database.
    """
    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1]:
        raise ShapeMismatch(f"Queries {queries.shape} and database {database.shape} differ in width.")
    if not 1 <= k <= len(database):
        raise InvalidInput(f"Cannot find {k} neighbours among {len(database)} rows.")
