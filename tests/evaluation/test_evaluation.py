import dataclasses
import itertools
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import oracle
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from stores import SLIDES, make_dataset, make_store, make_vectors, make_xy

from plismbench.dataset import PLISM_SCANNERS, PLISM_STAININGS, Slide
from plismbench.embeddings.slide_file import Embeddings
from plismbench.errors import (
    AlreadyExists,
    CorruptFile,
    FingerprintMismatch,
    InvalidInput,
)
from plismbench.evaluation.evaluation import default_memory, plan_evaluation
from plismbench.metrics.owkin import owkin_numbers
from plismbench.pairs import slide_pairs
from plismbench.results.aggregation import PAIR, metric_names
from plismbench.results.result import read_result
from plismbench.search.torch_matmul import TorchEngine
from plismbench.search.vectors import SlideVectors
from plismbench.storage import folder_lock
from plismbench.tissue import tissue_of
from plismbench.workspace import Existing, Workspace

TABLES = ("pairs.parquet", "cores.parquet", "summary.parquet", "draws.parquet")
KS = (1, 3, 10)


def plan(tmp_path, store, dataset=None, slides=SLIDES, **changes):
    arguments = {
        "n_tiles": 20,
        "ks": KS,
        "engine_name": "faiss",
        "memory": 10**9,
        "threads": 2,
        "existing": Existing.SKIP,
    } | changes
    return plan_evaluation(store, dataset or make_dataset(), slides, Workspace(tmp_path, "tiny"), **arguments)


def finish(evaluation):
    done = list(evaluation.evaluate())
    return done, read_result(evaluation.folder)


def interrupted(evaluation, after):
    """An evaluation that ended after so many pairs."""
    progress = evaluation.evaluate()
    for _ in range(after):
        next(progress)
    progress.close()
    return evaluation


def tables(folder):
    return [(folder / name).read_bytes() for name in TABLES]


@pytest.fixture
def vectors():
    return make_vectors()


@pytest.fixture
def store(tmp_path, vectors):
    return make_store(tmp_path / "store", vectors)


def test_every_pair_is_that_of_the_oracle(tmp_path, store, vectors):
    done, result = finish(plan(tmp_path, store))
    pairs = slide_pairs(SLIDES)
    assert sorted(done) == list(pairs)
    assert len(result.pairs) == len(pairs) == 15
    rows = np.sort(np.random.default_rng(42).choice(30, 20, replace=False))
    for pair, row in zip(pairs, result.pairs.iter_rows(named=True), strict=True):
        a, b = vectors[pair.a][rows], vectors[pair.b][rows]
        assert (row["staining_a"], row["scanner_a"]) == (pair.a.staining, pair.a.scanner)
        assert (row["staining_b"], row["scanner_b"]) == (pair.b.staining, pair.b.scanner)
        assert row["group"] == pair.group
        assert row["cosine"] == pytest.approx(oracle.cosine(a, b), abs=1e-9)
        assert row["random_cosine"] == pytest.approx(oracle.random_cosine(a, b), abs=1e-9)
        assert row["centred_cosine"] == pytest.approx(oracle.centred_cosine(a, b), abs=1e-9)
        lift = (row["cosine"] - row["random_cosine"]) / (1 - row["random_cosine"])
        assert row["cosine_lift"] == pytest.approx(lift, abs=1e-9)
        for k in KS:
            assert row[f"top_{k}"] == pytest.approx(oracle.accuracy(a, b, k), abs=1e-12)
    both = result.summary.filter(pl.col("group") == "cross-both", pl.col("metric") == "top_3").row(0, named=True)
    expected = [r["top_3"] for r in result.pairs.iter_rows(named=True) if r["group"] == "cross-both"]
    assert (both["n_pairs"], both["median"]) == (6, pytest.approx(np.median(expected)))


def test_sums_of_cores_make_up_the_pairs(tmp_path):
    # Below 64 tiles the data set is one block, so here it gets four.
    many = make_vectors(tiles=80)
    _, result = finish(plan(tmp_path, make_store(tmp_path / "many", many), make_dataset(tiles=80), n_tiles=70))
    assert result.cores["core"].unique().sort().to_list() == ["block_1_1", "block_1_2", "block_2_1", "block_2_2"]
    assert len(result.cores) == 4 * 15
    sums = result.cores.group_by(PAIR).agg(pl.col("tiles", "cosine", "centred_cosine", "top_1", "top_10").sum())
    both = result.pairs.join(sums, on=PAIR, suffix="_sum")
    assert both["tiles"].unique().to_list() == [70]
    for metric, share in (("cosine", 70), ("centred_cosine", 70), ("top_1", 140), ("top_10", 140)):
        np.testing.assert_allclose(both[metric], both[f"{metric}_sum"] / share, atol=1e-12)
    rows = np.sort(np.random.default_rng(42).choice(80, 70, replace=False))
    core = tissue_of(make_dataset(tiles=80), make_xy(80)).at(rows).labels == 2
    a, b = many[SLIDES[0]][rows], many[SLIDES[3]][rows]
    (told,) = result.cores.filter(
        core="block_2_1", staining_a="GM", scanner_a="AT2", staining_b="HR", scanner_b="P"
    ).to_dicts()
    ranks = oracle.ranks(a, b)
    assert told["top_3"] == sum((of_slide[core] < 3).sum() for of_slide in ranks)
    assert told["cosine"] == pytest.approx(np.sum(oracle.unit(a)[core] * oracle.unit(b)[core]), abs=1e-9)


def bytes_for(n_slides, n_tiles=20, dim=8, limit=10):
    """What so many of the six slides take, as ``slides_that_fit`` says."""
    return 6 * n_tiles * (limit + 1) * 8 + n_slides * n_tiles * (14 * dim + 28)


def test_memory_threads_and_engine_leave_no_trace(tmp_path):
    # 160 tiles: nine blocks of tissue, enough for draws of cores.
    store, dataset = make_store(tmp_path / "store", make_vectors(tiles=160)), make_dataset(tiles=160)
    found, results = {True: set(), False: set()}, {}
    memories = (bytes_for(2, 150), bytes_for(4, 150), 10**9)
    for number, (memory, engine, threads) in enumerate(
        itertools.product(memories, ("exact", "faiss", "torch"), (1, 3))
    ):
        evaluation = plan(
            tmp_path / str(number), store, dataset, n_tiles=150, memory=memory, engine_name=engine, threads=threads
        )
        on_device = engine == "torch"
        _, results[on_device] = finish(evaluation)
        found[on_device].add(tuple(tables(evaluation.folder)))
    assert number == 17
    assert [len(of_device) for of_device in found.values()] == [1, 1]
    for table in ("pairs", "cores", "summary", "draws"):  # a device sums float64 in another order; ranks are the same
        here, there = (getattr(results[on_device], table) for on_device in (False, True))
        assert_frame_equal(here, there, check_exact=False, rel_tol=1e-12, abs_tol=1e-12)
        hits = [name for name in here.columns if name.startswith("top_")]
        assert_frame_equal(here.select(hits), there.select(hits), check_exact=True)
    assert results[True].draws.filter(unit="core")["top10_cross_both"].null_count() == 0


def test_the_rounding_of_the_reference_is_a_protocol_of_its_own(tmp_path, store):
    exact, rounded = plan(tmp_path, store), plan(tmp_path, store, protocol="owkin-fp16")
    assert exact.folder != rounded.folder
    assert rounded.run.signature == exact.run.signature.replace("plism-1", "owkin-fp16")
    (_, first), (_, second) = finish(exact), finish(rounded)
    assert not first.pairs["cosine"].equals(second.pairs["cosine"])
    np.testing.assert_allclose(first.pairs["cosine"], second.pairs["cosine"], atol=2e-3)
    assert set(second.pairs["cosine"].to_numpy().astype(np.float16)) == set(second.pairs["cosine"])


def test_ties_of_the_reference_fall_as_in_its_order_of_tiles(tmp_path, vectors):
    # Vectors of signs have few cosines; plism-benchmark takes tiles in the order in which they were drawn.
    signs = {slide: np.sign(of_slide) for slide, of_slide in vectors.items()}
    _, result = finish(plan(tmp_path, make_store(tmp_path / "signs", signs), protocol="owkin-fp16"))
    drawn = np.random.default_rng(42).choice(30, 20, replace=False)
    found = {True: [], False: []}
    for pair in slide_pairs(SLIDES):
        for sort in found:
            rows = np.sort(drawn) if sort else drawn
            a, b = (SlideVectors(signs[slide][rows].astype(np.float16)) for slide in (pair.a, pair.b))
            found[sort].append(owkin_numbers(a, b, (3,)).hits[3].sum() / 40)
    assert result.pairs["top_3"].to_list() == found[False] != found[True]


def test_slides_in_memory_follow_the_budget(tmp_path, store):
    for n_slides in (2, 3, 5):
        assert plan(tmp_path, store, memory=bytes_for(n_slides)).slides_in_memory == n_slides
        assert plan(tmp_path, store, memory=bytes_for(n_slides + 1) - 1).slides_in_memory == n_slides
    assert plan(tmp_path, store, memory=10**9).slides_in_memory == len(SLIDES)
    assert default_memory() > 10**8


def test_directions_that_small_slides_keep_count_and_leave_no_trace(tmp_path, store, monkeypatch):
    memory = bytes_for(4)
    found = []
    for numbers, in_memory in ((20 * 8, 4), (20 * 8 - 1, 6)):
        monkeypatch.setattr("plismbench.search.vectors._KEPT_NUMBERS", numbers)
        evaluation = plan(tmp_path / str(numbers), store, memory=memory)
        assert evaluation.slides_in_memory == in_memory
        finish(evaluation)
        found.append(tables(evaluation.folder))
    assert found[0] == found[1]


def test_no_more_slides_are_read_than_the_order_needs(tmp_path, store, monkeypatch):
    reads = []
    read = type(store).read
    monkeypatch.setattr(type(store), "read", lambda self, slide: reads.append(slide) or read(self, slide))
    finish(plan(tmp_path / "all", store))
    before = [SLIDES[0], *SLIDES]  # once for the places of the tiles, once for the axes
    assert sorted(reads) == sorted(before + list(SLIDES))
    reads.clear()
    finish(plan(tmp_path / "few", store, memory=bytes_for(4)))
    # Blocks of 2 among 6 slides: 12, 34, 56, then 34 again.
    assert len(reads) - len(before) <= len(SLIDES) + 2


@pytest.mark.parametrize(("room", "at_once"), [(1, 1), (959, 1), (960, 2), (1_439, 2), (1_440, 3), (10**6, 3)])
def test_small_slides_are_read_side_by_side_and_large_ones_one_by_one(tmp_path, store, monkeypatch, room, at_once):
    # A slide has 30 tiles of 8 numbers of 2 bytes.
    reading, most = [], []
    read = type(store).read

    def slow(self, slide):
        reading.append(slide)
        most.append(len(reading))
        time.sleep(0.02)
        reading.remove(slide)
        return read(self, slide)

    monkeypatch.setattr(type(store), "read", slow)
    monkeypatch.setattr("plismbench.evaluation.evaluation._READ_AT_ONCE", room)
    finish(plan(tmp_path, store, threads=3))
    assert max(most) == at_once


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
    assert len(finish(plan(tmp_path, store, existing=Existing.REPLACE))[0]) == 15


def test_vectors_that_were_replaced_are_noticed_whatever_their_spec_says(tmp_path, store, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.evaluation.PAIRS_PER_PART", 4)
    finish(plan(tmp_path / "finished", store))
    interrupted(plan(tmp_path / "cut", store), after=9)
    make_store(tmp_path / "store", make_vectors(seed=1))  # the same manifest, other weights
    _, expected = finish(plan(tmp_path / "fresh", store))
    for place in ("finished", "cut"):
        evaluation = plan(tmp_path / place, store)
        assert (evaluation.finished, len(evaluation.todo)) == (False, 15)
        assert finish(evaluation)[1].pairs.equals(expected.pairs)


def test_replace_begins_anew(tmp_path, store, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.evaluation.PAIRS_PER_PART", 4)
    interrupted(plan(tmp_path, store), after=9)
    assert len(plan(tmp_path, store).todo) == 7
    assert len(plan(tmp_path, store, existing=Existing.REPLACE).todo) == 15


def test_parts_that_a_kill_left_beside_a_finished_result_go(tmp_path, store):
    evaluation = plan(tmp_path, store)
    finish(evaluation)
    parts = evaluation.folder / "parts" / "x"
    parts.mkdir(parents=True)
    assert plan(tmp_path, store).finished
    assert not parts.parent.exists()


def test_a_damaged_result_is_made_again(tmp_path, store):
    evaluation = plan(tmp_path, store)
    _, result = finish(evaluation)
    path = evaluation.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tiles_commit": None}))
    again = plan(tmp_path, store)
    assert not again.finished
    assert finish(again)[1].pairs.equals(result.pairs)


def side_by_side(evaluations):
    """What processes at the same result do, a pair each by turns."""
    for _ in itertools.zip_longest(*(evaluation.evaluate() for evaluation in evaluations)):
        pass


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.REPLACE])
def test_processes_at_the_same_result_all_end_well_and_leave_no_parts(tmp_path, store, monkeypatch, existing):
    monkeypatch.setattr("plismbench.evaluation.evaluation.PAIRS_PER_PART", 4)
    whole = plan(tmp_path / "whole", store)
    finish(whole)
    interrupted(plan(tmp_path / "at", store), after=5)
    late = plan(tmp_path / "at", store)  # it counts on four pairs that are gone when it begins
    three = [plan(tmp_path / "at", store, existing=existing) for _ in range(3)]
    slow = three[0].evaluate()
    for _ in range(9):  # in the middle of its work when the others have finished and dropped the parts
        next(slow)
    side_by_side(three[1:])
    folder = late.folder
    before = (folder / "run.json").read_bytes()
    assert len(list(slow)) == 15 - 9 - (0 if existing is Existing.REPLACE else 4)
    assert ((folder / "run.json").read_bytes() == before) is (existing is Existing.SKIP)
    finish(late)
    assert tables(late.folder) == tables(whole.folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*TABLES, "run.json"])


def test_a_result_that_another_process_replaces_is_waited_for(tmp_path, store):
    evaluation = plan(tmp_path, store)
    _, whole = finish(evaluation)
    mark = evaluation.folder / "run.json"
    with ThreadPoolExecutor() as pool:
        with folder_lock(evaluation.folder):
            content = mark.read_bytes()
            mark.unlink()
            reading = pool.submit(evaluation.result)
            time.sleep(0.2)
            mark.write_bytes(content)
        assert reading.result().run == whole.run


def test_vectors_of_other_files_than_those_that_are_there_are_refused(tmp_path, store):
    files = {slide: str(slide) for slide in SLIDES}
    told = dataclasses.replace(store, digests=files)
    for slide in SLIDES[1:]:
        told.write(store.read(slide))
    _, result = finish(plan(tmp_path, store, digests=files))
    assert result.run.tiles_commit == {}  # the first slide does not say
    told.write(store.read(SLIDES[0]))
    assert plan(tmp_path, store, digests=files).finished  # an older result goes on
    _, result = finish(plan(tmp_path, store, digests=files, existing=Existing.REPLACE))
    assert [*map(len, result.run.tiles_commit.values())] == [40]
    with pytest.raises(FingerprintMismatch, match="The files of GM_P are not those"):
        plan(tmp_path, store, digests=files | {SLIDES[1]: "other"})
    imported = dataclasses.replace(store, manifest=dataclasses.replace(store.manifest, origin="features.npy"))
    assert plan(tmp_path, imported, digests=files | {SLIDES[1]: "other"}).run.tiles_commit == {}


def test_the_same_vectors_of_other_files_are_another_result(tmp_path, store):
    for digest in ("one", "two"):
        told = dataclasses.replace(store, digests=dict.fromkeys(SLIDES, digest))
        for slide in SLIDES:
            told.write(store.read(slide))
        planned = plan(tmp_path, store)
        assert not planned.finished
        _, result = finish(planned)
        assert list(result.run.tiles_commit) == ["tiny"]
        assert plan(tmp_path, store).finished


def test_error_refuses_any_result_that_is_there(tmp_path, store):
    finish(plan(tmp_path, store))
    other = make_store(tmp_path / "other", make_vectors(seed=1), depth=2)
    with pytest.raises(AlreadyExists, match="evaluated already"):
        plan(tmp_path, other, existing=Existing.ERROR)


def test_other_cut_offs_and_slides_have_their_own_place(tmp_path, store):
    folders = {
        plan(tmp_path, store).folder,
        plan(tmp_path, store, ks=(1, 3, 5, 10)).folder,
        plan(tmp_path, store, slides=SLIDES[:4]).folder,
        plan(tmp_path, store, n_tiles=21).folder,
    }
    assert len(folders) == 4


def test_an_interruption_loses_at_most_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.evaluation.PAIRS_PER_PART", 4)
    store = make_store(tmp_path / "store", make_vectors())
    whole = plan(tmp_path / "whole", store)
    finish(whole)
    interrupted(plan(tmp_path / "cut", store), after=11)
    resumed = plan(tmp_path / "cut", store)
    assert len(resumed.todo) == 15 - 8  # two parts of four were written
    finish(resumed)
    assert tables(resumed.folder) == tables(whole.folder)
    assert not (resumed.folder / "parts").exists()


def test_an_end_between_the_last_pair_and_the_result_loses_nothing(tmp_path, store, monkeypatch):
    whole = plan(tmp_path / "whole", store)
    finish(whole)
    cut = plan(tmp_path / "cut", store)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("plismbench.evaluation.evaluation.write_result", Mock(side_effect=KeyboardInterrupt))
        list(cut.evaluate())
    resumed = plan(tmp_path / "cut", store)
    assert resumed.todo == ()
    assert finish(resumed)[0] == []
    assert tables(resumed.folder) == tables(whole.folder)


def test_a_damaged_part_is_done_again(tmp_path, store, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.evaluation.PAIRS_PER_PART", 4)
    evaluation = interrupted(plan(tmp_path, store), after=9)
    part = next(evaluation.folder.glob("parts/*/*.parquet"))
    part.write_bytes(part.read_bytes()[:50])
    resumed = plan(tmp_path, store)
    assert len(resumed.todo) == 15 - 4
    assert len(finish(resumed)[1].pairs) == 15


EVALUATE = """
import sys
from pathlib import Path
from unittest.mock import Mock
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/evaluation"]
import plismbench.evaluation.evaluation
from plismbench.embeddings.store import EmbeddingStore
from test_evaluation import plan_many
plismbench.evaluation.evaluation.PAIRS_PER_PART = 1
for _ in plan_many(Path(sys.argv[2]), EmbeddingStore.open(Path(sys.argv[3]))).evaluate():
    pass
"""
TESTS = str(Path(__file__).parents[1])
MANY = tuple(Slide(staining, scanner) for staining in PLISM_STAININGS[:5] for scanner in PLISM_SCANNERS[:4])


def plan_many(tmp_path, store):
    return plan(tmp_path, store, make_dataset(tiles=1_000, slides=MANY), MANY, n_tiles=1_000)


@pytest.mark.slow
def test_20_kills_at_random_moments_end_in_the_same_bytes(tmp_path):
    store = make_store(tmp_path / "store", make_vectors(MANY, tiles=1_000, dim=96))
    whole = plan_many(tmp_path / "whole", store)
    finish(whole)
    command = [
        sys.executable,
        "-c",
        EVALUATE,
        str(Path(__file__).parent.parent),
        str(tmp_path / "cut"),
        str(store.folder),
    ]
    folder = plan_many(tmp_path / "cut", store).folder
    random = np.random.default_rng(0)
    kills, progress, start = 0, set(), 0.0
    for number in range(20):
        before, begun = set(folder.glob("parts/*/*.parquet")), time.perf_counter()
        process = subprocess.Popen(command)
        if number % 4 < 3:  # mostly among the pairs, else while it starts
            while process.poll() is None and not set(folder.glob("parts/*/*.parquet")) - before:
                time.sleep(0.002)
            start = time.perf_counter() - begun
        time.sleep(random.uniform(0, 0.02 if number % 4 < 3 else start))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        progress.add(len(list(folder.glob("parts/*/*.parquet"))))
        assert not (folder / "run.json").exists()
    assert kills == 20
    assert len(progress) >= 8  # it went on, and was stopped at many places
    subprocess.run(command, check=True)
    assert tables(folder) == tables(whole.folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*TABLES, "run.json"])


def test_the_run_says_what_made_it(tmp_path, store):
    evaluation = plan(tmp_path, store)
    _, result = finish(evaluation)
    run = json.loads((evaluation.folder / "run.json").read_text())
    assert run["signature"] == "tiny@1|slides:6-a54f43|tiles:20|seed:42|k:1,3,10|fp32|plism-1" == result.run.signature
    assert run["engine"] == "faiss"
    assert run["device"] == "cpu"
    assert set(run["versions"]) == {"plismbench", "numpy", "polars", "pyarrow", "faiss"}
    assert run["vectors"] == store.contents(SLIDES)
    assert run["pairs_per_second"] > 0
    assert run["seconds"] > 0
    assert run["hardware"]["cores"] >= 1
    assert set(result.pairs.columns) >= set(metric_names(KS))


def test_a_truncated_slide_is_named_and_no_result_is_left(tmp_path, store):
    path = store.path(SLIDES[2])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptFile, match="HR_AT2"):
        plan(tmp_path, store)
    assert not (tmp_path / "tiny").exists()


def test_a_slide_that_is_damaged_inside_is_named_and_no_result_is_left(tmp_path, store):
    evaluation = plan(tmp_path, store)
    path = store.path(SLIDES[2])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match="HR_AT2"):
        finish(evaluation)
    assert not (evaluation.folder / "run.json").exists()


def test_slides_with_other_tiles_are_refused(tmp_path, store, vectors):
    moved = make_xy(30)
    moved[-1] += 1
    store.write(Embeddings(SLIDES[3], moved, vectors[SLIDES[3]]))
    with pytest.raises(InvalidInput, match=r"HR_P and GM_AT2 have other tiles.* Extract or import the wrong one"):
        finish(plan(tmp_path, store))


@pytest.mark.parametrize("tiles", [25, 31])
def test_a_store_with_other_tiles_than_the_data_set_is_refused(tmp_path, tiles):
    store = make_store(tmp_path / "store", make_vectors(tiles=tiles))
    with pytest.raises(InvalidInput, match=f"GM_AT2 has {tiles} tiles; a slide of 'tiny' has 30"):
        finish(plan(tmp_path, store, n_tiles=8))


def test_slides_of_another_revision_are_refused_before_anything_is_written(tmp_path, store):
    with pytest.raises(FingerprintMismatch, match="tiles tiny@1, not tiny@2"):
        plan(tmp_path, store, dataset=make_dataset(revision="2"))
    assert not (tmp_path / "tiny").exists()


def test_a_small_gpu_holds_fewer_slides(tmp_path, store, monkeypatch):
    monkeypatch.setattr(TorchEngine, "room", bytes_for(3))
    assert plan(tmp_path / "here", store).slides_in_memory == len(SLIDES)
    assert plan(tmp_path / "there", store, engine_name="torch").slides_in_memory == 3
    assert plan(tmp_path / "asked", store, engine_name="torch", memory=bytes_for(2)).slides_in_memory == 2
