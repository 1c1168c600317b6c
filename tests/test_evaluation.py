import dataclasses
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import oracle
import polars as pl
import pytest
from stores import SLIDES, make_dataset, make_store, make_vectors, make_xy

from plismbench.aggregation import metric_names
from plismbench.embeddings.store import Embeddings
from plismbench.errors import (
    AlreadyExists,
    CorruptFile,
    FingerprintMismatch,
    InvalidInput,
    MissingEmbeddings,
    UnknownName,
)
from plismbench.evaluation import PAIRS_PER_PART, default_memory, plan_evaluation
from plismbench.pairs import slide_pairs
from plismbench.results import read_result
from plismbench.workspace import Existing, Workspace

KS = (1, 3, 10)


def plan(tmp_path, store, dataset=None, slides=SLIDES, **changes):
    arguments = {
        "n_tiles": 20,
        "ks": KS,
        "engine_name": "faiss",
        "memory": 10**9,
        "existing": Existing.SKIP,
    } | changes
    return plan_evaluation(store, dataset or make_dataset(), slides, Workspace(tmp_path, "tiny"), **arguments)


def finish(evaluation):
    counts = list(evaluation.evaluate())
    return counts, read_result(evaluation.folder)


@pytest.fixture
def vectors():
    return make_vectors()


@pytest.fixture
def store(tmp_path, vectors):
    return make_store(tmp_path / "store", vectors)


def test_every_pair_is_that_of_the_oracle(tmp_path, store, vectors):
    counts, result = finish(plan(tmp_path, store))
    pairs = slide_pairs(SLIDES)
    assert sum(counts) == len(result.pairs) == len(pairs) == 15
    rows = np.sort(np.random.default_rng(42).choice(30, 20, replace=False))
    for pair, row in zip(pairs, result.pairs.iter_rows(named=True), strict=True):
        a, b = vectors[pair.a][rows], vectors[pair.b][rows]
        assert (row["staining_a"], row["scanner_a"]) == (pair.a.staining, pair.a.scanner)
        assert (row["staining_b"], row["scanner_b"]) == (pair.b.staining, pair.b.scanner)
        assert row["group"] == pair.group
        assert row["cosine"] == pytest.approx(oracle.cosine(a, b), abs=1e-9)
        for k in KS:
            assert row[f"top_{k}"] == pytest.approx(oracle.accuracy(a, b, k), abs=1e-12)
    both = result.summary.filter(pl.col("group") == "cross-both", pl.col("metric") == "top_3").row(0, named=True)
    expected = [r["top_3"] for r in result.pairs.iter_rows(named=True) if r["group"] == "cross-both"]
    assert (both["n_pairs"], both["median"]) == (6, pytest.approx(np.median(expected)))


def test_the_order_memory_and_engine_leave_no_trace(tmp_path, store):
    tables = []
    for number, (memory, engine) in enumerate(itertools.product((1, 4 * 20 * 8 * 6, 10**9), ("exact", "faiss"))):
        evaluation = plan(tmp_path / str(number), store, memory=memory, engine_name=engine)
        finish(evaluation)
        tables.append((evaluation.folder / "pairs.parquet").read_bytes())
    assert len(tables) == 6
    assert len(set(tables)) == 1


def test_slides_in_memory_follow_the_budget(tmp_path, store):
    per_slide = 20 * 8 * 6
    for memory, expected in ((1, 2), (3 * per_slide, 3), (10**9, len(SLIDES))):
        assert plan(tmp_path, store, memory=memory).slides_in_memory == expected
    assert default_memory() > 10**8


def test_no_more_slides_are_read_than_the_order_needs(tmp_path, store, monkeypatch):
    reads = []
    read = type(store).read
    monkeypatch.setattr(type(store), "read", lambda self, slide: reads.append(slide) or read(self, slide))
    finish(plan(tmp_path / "all", store))
    assert sorted(reads) == sorted(SLIDES)
    reads.clear()
    finish(plan(tmp_path / "few", store, memory=4 * 20 * 8 * 6))
    # Blocks of 2 among 6 slides: 12 + 13 + 22 + 23 + 33 with the shared block kept.
    assert len(reads) <= 2 * len(SLIDES)


def test_a_finished_result_is_kept_replaced_or_refused(tmp_path, store):
    evaluation = plan(tmp_path, store)
    finish(evaluation)
    before = (evaluation.folder / "pairs.parquet").stat().st_mtime_ns
    again = plan(tmp_path, store)
    assert again.finished
    assert finish(again)[0] == []
    assert (evaluation.folder / "pairs.parquet").stat().st_mtime_ns == before
    with pytest.raises(AlreadyExists, match="'toy' is evaluated already"):
        plan(tmp_path, store, existing=Existing.ERROR)
    assert sum(finish(plan(tmp_path, store, existing=Existing.REPLACE))[0]) == 15


def test_a_result_of_other_vectors_is_made_again(tmp_path, store, vectors):
    _, first = finish(plan(tmp_path, store))
    other = make_store(tmp_path / "other", make_vectors(seed=1), depth=2)
    evaluation = plan(tmp_path, other)
    assert not evaluation.finished
    _, second = finish(evaluation)
    assert first.run.signature == second.run.signature
    assert not first.pairs.equals(second.pairs)


def test_other_cut_offs_and_slides_have_their_own_place(tmp_path, store):
    folders = {
        plan(tmp_path, store).folder,
        plan(tmp_path, store, ks=(1, 3, 5, 10)).folder,
        plan(tmp_path, store, slides=SLIDES[:4]).folder,
        plan(tmp_path, store, n_tiles=21).folder,
    }
    assert len(folders) == 4


def test_an_interruption_loses_at_most_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.PAIRS_PER_PART", 4)
    store = make_store(tmp_path / "store", make_vectors())
    whole = plan(tmp_path / "whole", store)
    finish(whole)
    interrupted = plan(tmp_path / "cut", store)
    progress = interrupted.evaluate()
    done = next(progress) + next(progress)
    progress.close()
    resumed = plan(tmp_path / "cut", store)
    assert len(resumed.todo) == 15 - done
    finish(resumed)
    for name in ("pairs.parquet", "summary.parquet"):
        assert (resumed.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert not (resumed.folder / "parts").exists()


def test_parts_of_other_vectors_are_not_mixed_in(tmp_path, store):
    progress = plan(tmp_path, store).evaluate()
    next(progress)
    progress.close()
    other = make_store(tmp_path / "other", make_vectors(seed=1), depth=2)
    _, result = finish(plan(tmp_path, other))
    _, expected = finish(plan(tmp_path / "fresh", other))
    assert result.pairs.equals(expected.pairs)


def test_a_damaged_part_is_done_again(tmp_path, store, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.PAIRS_PER_PART", 4)
    evaluation = plan(tmp_path, store)
    progress = evaluation.evaluate()
    next(progress)
    next(progress)
    progress.close()
    part = next(evaluation.folder.glob("parts/*/*.parquet"))
    part.write_bytes(part.read_bytes()[:50])
    resumed = plan(tmp_path, store)
    assert len(resumed.todo) == 15 - 4
    assert len(finish(resumed)[1].pairs) == 15


EVALUATE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import plismbench.evaluation
from plismbench.embeddings.store import EmbeddingStore
from stores import make_dataset
from test_evaluation import SLIDES, plan
plismbench.evaluation.PAIRS_PER_PART = 1
for _ in plan(Path(sys.argv[2]), EmbeddingStore.open(Path(sys.argv[3]))).evaluate():
    pass
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_ends_in_the_same_bytes(tmp_path, store):
    whole = plan(tmp_path / "whole", store)
    finish(whole)
    command = [sys.executable, "-c", EVALUATE, str(Path(__file__).parent), str(tmp_path / "cut"), str(store.folder)]
    folder = plan(tmp_path / "cut", store).folder
    kills = 0
    for parts in range(1, 15, 3):
        process = subprocess.Popen(command)
        while process.poll() is None and len(list(folder.glob("parts/*/*.parquet"))) < parts:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 3
    subprocess.run(command, check=True)
    assert (folder / "pairs.parquet").read_bytes() == (whole.folder / "pairs.parquet").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["pairs.parquet", "run.json", "summary.parquet"]


def test_the_run_says_what_made_it(tmp_path, store):
    evaluation = plan(tmp_path, store)
    _, result = finish(evaluation)
    run = json.loads((evaluation.folder / "run.json").read_text())
    assert run["signature"] == "tiny@1|slides:6|tiles:20|seed:42|k:1,3,10|fp32|plism-1" == result.run.signature
    assert run["engine"] == "faiss"
    assert run["pairs_per_second"] > 0
    assert set(result.pairs.columns) >= set(metric_names(KS))
    assert PAIRS_PER_PART >= 1


def test_a_missing_slide_is_named(tmp_path, store):
    store.path(SLIDES[2]).unlink()
    with pytest.raises(MissingEmbeddings, match="lacks 1 of 6 slides: HR_AT2"):
        plan(tmp_path, store)


def test_a_truncated_slide_is_named_and_no_result_is_left(tmp_path, store):
    path = store.path(SLIDES[2])
    path.write_bytes(path.read_bytes()[:-100])
    evaluation = plan(tmp_path, store)
    with pytest.raises(CorruptFile, match="HR_AT2"):
        finish(evaluation)
    assert not (evaluation.folder / "run.json").exists()


def test_slides_with_other_tiles_are_refused(tmp_path, store, vectors):
    moved = make_xy(30)
    moved[-1] += 1
    store.write(Embeddings(SLIDES[3], moved, vectors[SLIDES[3]]))
    with pytest.raises(InvalidInput, match="HR_P has other tiles than the slides before it"):
        finish(plan(tmp_path, store))


def test_a_store_with_too_few_tiles_is_refused(tmp_path):
    store = make_store(tmp_path / "store", make_vectors(tiles=25))
    with pytest.raises(InvalidInput, match="has 25 tiles"):
        finish(plan(tmp_path, store, n_tiles=30))


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"n_tiles": 31}, InvalidInput, "31 tiles: a slide has 30"),
        ({"ks": (1, 39)}, InvalidInput, "k = 39 is more than the 38 candidates"),
        ({"engine_name": "fiass"}, UnknownName, "Did you mean 'faiss'"),
        ({"slides": SLIDES[:1]}, InvalidInput, "needs two slides"),
        ({"dataset": make_dataset(revision="2")}, FingerprintMismatch, "tiles tiny@1, not tiny@2"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, store, changes, kind, words):
    with pytest.raises(kind, match=words):
        plan(tmp_path, store, **changes)
    assert not (tmp_path / "tiny").exists()


def test_all_slides_are_told_from_some(tmp_path, store):
    assert plan(tmp_path, store).run.all_slides
    some = plan(tmp_path, store, slides=SLIDES[:4]).run
    assert not some.all_slides
    assert "slides:4-" in some.signature
    assert dataclasses.replace(some, slides=some.slides[:3]).signature != some.signature
