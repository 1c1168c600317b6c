from dataclasses import replace

import polars as pl
import pytest
from synthetic_results import make_result

from plismbench.errors import StorageFailure
from plismbench.evaluation.partial_results import Parts, drop_parts, part_schema

RUN = make_result().run


def make_row(scanner):
    row = dict.fromkeys(part_schema(RUN.ks))
    return row | {"staining_a": "GM", "scanner_a": "AT2", "staining_b": "GM", "scanner_b": scanner, "cosine": 0.5}


@pytest.fixture
def parts(tmp_path):
    parts = Parts.of(tmp_path, RUN)
    parts.write([make_row("SQ"), make_row("P")])
    parts.write([make_row("S60")])
    return parts


def test_what_was_written_is_read(parts):
    assert parts.write([make_row("AT2")])["scanner_b"].to_list() == ["AT2"]
    assert sorted(parts.read()["scanner_b"]) == ["AT2", "P", "S60", "SQ"]


def test_a_part_that_another_process_drops_meanwhile_is_none(parts, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: (_ for _ in ()).throw(FileNotFoundError(2, "gone")))
    assert len(parts.read()) == 0


def test_a_damaged_part_goes_and_one_that_cannot_be_read_now_stays(parts, monkeypatch):
    first, second = sorted(parts.folder.glob("*.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.read_bytes", lambda self: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        with pytest.raises(StorageFailure, match=r"Cannot read .*\.parquet: Too many open files"):
            parts.read()
    assert first.exists()
    first.write_bytes(first.read_bytes()[:40])
    pl.DataFrame({"other": [1]}).write_parquet(second)
    assert len(parts.read()) == 0
    assert not first.exists()
    assert not second.exists()


def test_parts_are_of_slides_by_their_names(tmp_path, parts):
    own = replace(RUN, dataset="own", vectors=dict.fromkeys(RUN.slides, "0" * 16))
    names = (*own.slides[:-1], "ZZ_P")  # as a description may be corrected: as many slides, in the same order
    renamed = replace(own, slides=names, vectors=dict.fromkeys(names, "0" * 16))
    assert len({Parts.of(tmp_path, run).folder for run in (RUN, own, renamed)}) == 3


def test_parts_of_another_result_go(tmp_path, parts):
    other = Parts(tmp_path, "other", RUN.ks)
    other.write([make_row("P")])
    drop_parts(tmp_path, but=parts)
    assert not other.folder.exists()
    assert len(parts.read()) == 3
    drop_parts(tmp_path)
    assert not (tmp_path / "parts").exists()
