from dataclasses import replace

import polars as pl
import pytest
from submission_files import changed_json, changed_run, changed_table, forge, make_submission

from plismbench.embeddings.manifest import read_manifest
from plismbench.errors import CorruptFile, RejectedSubmission
from plismbench.extractors import registry
from plismbench.results.result import read_result, write_result
from plismbench.submissions.board import add
from plismbench.submissions.submission import pack, unpack
from plismbench.workspace import Existing


@pytest.fixture
def submission(tmp_path):
    return make_submission(tmp_path)


def test_what_was_packed_is_added_as_it_was(submission, tmp_path):
    archive, result = submission
    found = unpack(archive)
    folder = add([found], tmp_path / "root", Existing.ERROR)[0].folder
    assert folder == next((tmp_path / "root/plism/results/toy").iterdir())
    assert folder.name.startswith("450-tiles-4-slides-")
    back = read_result(folder)
    assert back.run == result.run
    for table in ("pairs", "cores", "summary", "draws"):
        assert getattr(back, table).equals(getattr(result, table))
    assert read_manifest(folder / "manifest.json") == found.manifest
    pack(folder, folder / "manifest.json", tmp_path / "again.zip")  # what was added can be handed on
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_what_is_told_of_a_registered_model_is_told_as_here(tmp_path):
    known = registry.get("small-pixels")
    told = replace(known, title="Best", organisation="Someone", license="MIT", trained_on_plism=True)
    archive, _ = make_submission(tmp_path, extractor=told.as_dict(), fingerprint=told.fingerprint())
    found = unpack(archive)
    assert found.result.run.extractor == found.manifest.extractor == known.as_dict()


def test_one_number_changed(submission):
    archive, _ = submission
    changes = changed_table(archive, "pairs.parquet", lambda table: table.with_columns(pl.col("top_10") * 0.99))
    with pytest.raises(RejectedSubmission, match=r"forged.zip: pairs.parquet is not what was packed"):
        unpack(forge(archive, changes, sealed=False))
    with pytest.raises(RejectedSubmission, match=r"forged.zip: GM_AT2, GM_P: top_10 does not follow from its cores"):
        unpack(forge(archive, changes))


def test_one_pair_dropped(submission):
    archive, _ = submission
    changes = changed_table(archive, "pairs.parquet", lambda table: table[:-1])
    with pytest.raises(RejectedSubmission, match="4 slides make 6 pairs, and it has 5: see HR_AT2, HR_P"):
        unpack(forge(archive, changes))


def test_another_signature(submission):
    archive, result = submission
    with pytest.raises(RejectedSubmission, match=r"run.json: it says signature other, its fields say plism@main"):
        unpack(forge(archive, changed_json(archive, "run.json", signature="other")))
    with pytest.raises(RejectedSubmission, match="It is sealed as other"):
        unpack(forge(archive, changed_json(archive, "submission.json", signature="other")))
    with pytest.raises(RejectedSubmission, match="manifest is of another precision"):
        unpack(forge(archive, changed_run(archive, result, precision="bf16")))
    with pytest.raises(RejectedSubmission, match="tiles of its cores are 450, and it says 8,139"):
        unpack(forge(archive, changed_run(archive, result, n_tiles=8_139)))


def test_an_impossible_value(submission):
    archive, _ = submission
    changes = changed_table(archive, "pairs.parquet", lambda table: table.with_columns(cosine=pl.lit(1.5)))
    with pytest.raises(RejectedSubmission, match="cosine does not follow from its cores"):
        unpack(forge(archive, changes))


@pytest.mark.parametrize("name", ["pairs.parquet", "cores.parquet", "summary.parquet", "draws.parquet"])
def test_a_table_of_another_kind(submission, name):
    archive, _ = submission
    with pytest.raises(RejectedSubmission, match=f"{name} cannot be read"):
        unpack(forge(archive, {name: b"no table"}))
    changes = changed_table(archive, name, lambda table: table.with_columns(new=1))
    with pytest.raises(RejectedSubmission, match="other columns than this version writes: new"):
        unpack(forge(archive, changes))


def test_millions_of_rows_are_not_read(submission):
    archive, _ = submission
    many = changed_table(
        archive,
        "draws.parquet",
        lambda table: table[:1].select(pl.all().repeat_by(1_000_001).explode(empty_as_null=False)),
    )
    assert len(many["draws.parquet"]) < 100_000
    with pytest.raises(RejectedSubmission, match=r"draws.parquet has 1,000,001 rows"):
        unpack(forge(archive, many))


def test_long_texts_are_not_read(submission):
    """A dictionary holds a text once, however many rows have it: a quarter of a megabyte stood for a terabyte."""
    archive, _ = submission
    long = changed_table(archive, "cores.parquet", lambda table: table.with_columns(core=pl.lit("x" * 101)))
    with pytest.raises(RejectedSubmission, match=r"cores.parquet has a text of more than 100 bytes"):
        unpack(forge(archive, long))


def test_what_the_parquet_reader_dies_of_is_refused(submission, monkeypatch):
    """Its panics are no exceptions to Python; damaged pages under a whole footer caused one."""

    def panic(*_, **__):
        raise pl.exceptions.PanicException("assertion failed")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(RejectedSubmission, match=r"Cannot read pairs.parquet: assertion failed"):
        unpack(submission[0])


def test_a_reason_is_one_short_line(submission):
    archive, result = submission
    long = changed_run(archive, result, revision="x" * 100_000)
    with pytest.raises(RejectedSubmission) as caught:
        unpack(forge(archive, long))
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("name", ["run.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"3", b'{"schema": 1}', b"\xff", b"[" * 100_000])
def test_json_of_another_kind(submission, name, content):
    archive, _ = submission
    files = {name: content}
    if name == "run.json":
        files |= changed_json(archive, "submission.json")
    with pytest.raises(RejectedSubmission, match=r"forged\.zip: .*Nothing was added\.") as caught:
        unpack(forge(archive, files))
    if content == b"[]":
        assert f"Cannot read {name}: it is no JSON object." in str(caught.value)
    if content.startswith(b"[["):
        assert "Its JSON is nested too deep." in str(caught.value)


@pytest.mark.parametrize("fields", [{"slides": 3}, {"ks": None}, {"slides": [1, 2]}, {"extractor": []}, {"extra": 1}])
def test_a_run_of_another_kind(submission, fields):
    archive, _ = submission
    with pytest.raises(RejectedSubmission):
        unpack(forge(archive, changed_json(archive, "run.json", **fields)))


def test_what_would_be_refused_is_not_packed(submission, tmp_path):
    _, result = submission
    write_result(tmp_path / "wrong", replace(result, pairs=result.pairs.with_columns(top_10=pl.lit(0.9))))
    with pytest.raises(RejectedSubmission, match="top_10"):
        pack(tmp_path / "wrong", tmp_path / "manifest.json", tmp_path / "wrong.zip")
    assert not (tmp_path / "wrong.zip").exists()
    with pytest.raises(CorruptFile, match=r"none\.json"):
        pack(tmp_path / "result", tmp_path / "none.json", tmp_path / "wrong.zip")
