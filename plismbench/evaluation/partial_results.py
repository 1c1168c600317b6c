"""The pairs of an evaluation under way, some to a file, so that an interruption loses few."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from plismbench.errors import CorruptFile, StorageFailure
from plismbench.results.aggregation import PAIR, Schema, check_schema, core_schema, pair_schema
from plismbench.results.result import Run, write_table
from plismbench.storage import folder_lock, remove_folder
from plismbench.workspace import PARTS_FOLDER


def part_schema(ks: Sequence[int]) -> Schema:
    """Columns of what is kept while an evaluation is under way: pairs, their core sums as lists."""
    listed: Schema = {name: pl.List(kind) for name, kind in _core_columns(ks).items()}
    return pair_schema(ks) | {f"core_{name}": kind for name, kind in listed.items()}


def pairs_of(parts: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """The pair table of some parts."""
    return parts.select(*pair_schema(ks))


def cores_of(parts: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """The core table of some parts: one row a pair and core that has tiles."""
    columns = list(_core_columns(ks))
    long = parts.select(*PAIR, *(pl.col(f"core_{name}").alias(name) for name in columns)).explode(
        columns, empty_as_null=False
    )
    return long.filter(pl.col("tiles") > 0).select(*core_schema(ks))


def _core_columns(ks: Sequence[int]) -> Schema:
    return {name: kind for name, kind in core_schema(ks).items() if name not in PAIR}


@dataclass(frozen=True)
class Parts:
    """What was compared so far of one result, by one process or several.

    Args:
        result: folder of the result.
        name: of these vectors and cut-offs only; parts of others lie beside them.
        ks: cut-offs.
    """

    result: Path
    name: str
    ks: tuple[int, ...]

    @classmethod
    def of(cls, folder: Path, run: Run) -> "Parts":
        """The parts of a result that goes to a folder."""
        return cls(folder, _digest(str(run.made_of)), run.ks)

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.result / PARTS_FOLDER / self.name

    def write(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Writes some pairs to a file of their own, whole or not at all; gives them back as a table."""
        schema = part_schema(self.ks)
        table = pl.DataFrame({name: [row[name] for row in rows] for name in schema}, schema=schema)
        with folder_lock(self.result):  # another process may be at `drop_parts`
            write_table(self.folder / f"{_digest(table.select(PAIR).write_csv())}.parquet", table)
        return table

    def read(self) -> pl.DataFrame:
        """Every pair that was written; no rows if there are no parts. What is damaged goes, and is done again.

        Raises:
            StorageFailure: if a file cannot be read for a reason that may pass.
        """
        tables = [pl.DataFrame(schema=part_schema(self.ks))]
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # another process has dropped it meanwhile
            except OSError as error:
                raise StorageFailure(
                    f"Cannot read {path}: {error.strerror or error}.", hint="Run the same command again."
                ) from error
            try:
                tables.append(check_schema(pl.read_parquet(content), part_schema(self.ks), path))
            except (pl.exceptions.PolarsError, CorruptFile):
                path.unlink(missing_ok=True)
        return pl.concat(tables)


def drop_parts(folder: Path, but: Parts | None = None) -> None:
    """Removes what interrupted evaluations left for a folder, all or all but one."""
    if not (folder / PARTS_FOLDER).exists():
        return
    with folder_lock(folder):
        if but is None:
            remove_folder(folder / PARTS_FOLDER)
            return
        for path in (folder / PARTS_FOLDER).glob("*"):
            if path != but.folder:
                remove_folder(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
