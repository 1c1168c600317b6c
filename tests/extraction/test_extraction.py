import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from extras import needs_ray
from small_extraction import COLOUR, SPEC, contents, executor_named, plan, run
from small_tiles import TILES, RandomTiles
from stores import SLIDES, make_xy
from toy_loaders import VIT

from plismbench.embeddings.efficiency import read_efficiency
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import (
    AlreadyExists,
    BrokenPlugin,
    CorruptFile,
    FingerprintMismatch,
    NonFiniteValue,
    ShapeMismatch,
    StorageFailure,
    WorkerLost,
)
from plismbench.execution.executor import ItemProgress
from plismbench.execution.local import LocalExecutor
from plismbench.execution.processes import ProcessExecutor
from plismbench.extraction.extraction import extract_together, written_bytes
from plismbench.extractors.checkpoints.locations import TRUST
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.machine import hardware, host_name
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Existing

TESTS = str(Path(__file__).parents[1])


def test_vectors_are_those_of_the_network(tmp_path):
    counts = []
    extraction = plan(tmp_path)
    assert [done.slide for done in extract_together([extraction], LocalExecutor(), counts.append)] == list(SLIDES)
    assert sum(counts) == TILES * len(SLIDES)
    pixels = next(RandomTiles().batches(SLIDES[2], TILES)).pixels
    blocks = (pixels / 255).reshape(TILES, 4, 56, 4, 56, 3).mean((2, 4)).transpose(0, 3, 1, 2).reshape(TILES, 48)
    weight = torch.randn(48, 8, generator=torch.Generator().manual_seed(1)).numpy()
    found = EmbeddingStore.open(extraction.store.folder).read(SLIDES[2])
    np.testing.assert_allclose(found.vectors, blocks @ weight, atol=4e-3)
    np.testing.assert_array_equal(found.xy, make_xy(TILES))


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The stores of a usual run of each model alone."""
    root = tmp_path_factory.mktemp("usual")
    for spec in (SPEC, COLOUR, VIT):
        run(plan(root, spec, SLIDES[:2]))
    return {spec.name: contents(root / "tiny/embeddings" / spec.name) for spec in (SPEC, COLOUR, VIT)}


@pytest.mark.parametrize(
    ("executor", "workers", "batch_size"),
    [("local", 1, 1), ("local", 5, 64), ("local", 2, 4), ("processes", 2, 30), ("processes", 2, 8)],
)
def test_neither_batch_size_nor_workers_nor_executor_nor_company_leaves_a_trace(
    tmp_path, usual, executor, workers, batch_size
):
    plans = [plan(tmp_path, spec, SLIDES[:2], batch_size=batch_size) for spec in (SPEC, COLOUR, VIT)]
    counts = []
    done = list(extract_together(plans, executor_named(executor), counts.append, workers=workers))
    batches = [min(batch_size, TILES - first) for first in range(0, TILES, batch_size)]
    assert sorted(counts) == sorted(len(plans) * n_tiles for _ in SLIDES[:2] for n_tiles in batches)
    assert sorted((one.efficiency.extractor, one.slide) for one in done) == sorted(
        (extraction.spec.name, slide) for extraction in plans for slide in SLIDES[:2]
    )
    for extraction in plans:
        assert contents(extraction.store.folder) == usual[extraction.spec.name]


def test_in_one_pass_each_model_gets_what_it_lacks_and_each_tile_is_read_once(tmp_path, monkeypatch):
    whole = plan(tmp_path / "whole")
    run(whole)
    run(plan(tmp_path, SPEC, SLIDES[:4]))
    read, batches = [], RandomTiles.batches
    monkeypatch.setattr(
        RandomTiles, "batches", lambda self, slide, size: read.append(slide) or batches(self, slide, size)
    )
    plans = [plan(tmp_path, SPEC, SLIDES[2:]), plan(tmp_path, COLOUR, SLIDES[3:])]
    done = [(one.efficiency.extractor, one.slide) for one in extract_together(plans, LocalExecutor())]
    assert done == [("colour", SLIDES[3])] + [(name, slide) for slide in SLIDES[4:] for name in ("toy", "colour")]
    assert sorted(read) == list(SLIDES[3:])
    assert contents(plans[0].store.folder) == contents(whole.store.folder)


def test_how_fast_it_was_lies_beside_the_manifest(tmp_path):
    plans = [plan(tmp_path), plan(tmp_path, VIT, batch_size=None)]
    list(extract_together(plans, LocalExecutor()))
    toy, vit = (read_efficiency(extraction.store.folder) for extraction in plans)
    assert (toy.extractor, toy.n_params, toy.batch_size, toy.precision) == ("toy", 48 * 8, 7, "fp32")
    assert (toy.n_tiles, toy.n_together, toy.n_devices, toy.peak_memory) == (180, 2, 1, None)
    assert toy.device == hardware()["cpu"]
    assert vit.batch_size == 32
    assert vit.n_params == sum(parameter.numel() for parameter in load_module(VIT).parameters())
    assert 0 < toy.forward_seconds + vit.forward_seconds < toy.wall_seconds
    assert toy.wall_seconds == pytest.approx(vit.wall_seconds, rel=0.5)


def test_tiles_of_an_interrupted_run_are_counted(tmp_path):
    extraction = plan(tmp_path)
    outcomes = extract_together([extraction], LocalExecutor())
    next(outcomes)
    outcomes.close()
    assert read_efficiency(extraction.store.folder).n_tiles == TILES


def test_an_end_between_writing_and_telling_leaves_no_slide_of_unknown_cost(tmp_path, monkeypatch):
    class Cut(LocalExecutor):
        def run(self, start, items):
            list(super().run(start, items))
            raise KeyboardInterrupt
            yield

    written, write = [], EmbeddingStore.write
    monkeypatch.setattr(
        EmbeddingStore,
        "write",
        lambda store, slide: written.append(read_efficiency(store.folder)) or write(store, slide),
    )
    extraction = plan(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(extract_together([extraction], Cut()))
    assert len(list(extraction.store.folder.glob("*.parquet"))) == len(SLIDES)
    cost = written[0]  # it is there before the first slide is
    assert written == [cost] * len(SLIDES)
    assert read_efficiency(extraction.store.folder) == cost
    assert (cost.extractor, cost.n_tiles, cost.n_together, cost.n_devices) == ("toy", TILES, 1, 1)
    assert 0 < cost.forward_seconds < cost.wall_seconds
    extraction.store.path(SLIDES[3]).unlink()
    run(plan(tmp_path))
    assert read_efficiency(extraction.store.folder).wall_seconds != cost.wall_seconds  # the last run's


def test_a_killed_worker_is_one_line_and_the_same_command_goes_on(tmp_path):
    run(plan(tmp_path / "whole"))
    whole = EmbeddingStore.open(tmp_path / "whole/tiny/embeddings/toy")
    # Dies in the second slide, as soon as the first one is written.
    first_file = tmp_path / f"tiny/embeddings/toy/{SLIDES[0]}.parquet"
    deadly = dataclasses.replace(SPEC, loader="toy_loaders:deadly", options={"once": str(first_file), "call": 8})
    first = plan(tmp_path, deadly, slides=SLIDES[:2])
    with pytest.raises(WorkerLost, match=r"worker process on 'cpu' was killed by SIGKILL; .* same command goes on"):
        list(extract_together([first], ProcessExecutor(["cpu"])))
    assert set(contents(first.store.folder)) == {"manifest.json", first_file.name}
    again = plan(tmp_path, deadly, slides=SLIDES[:2])
    assert [done.slide for done in extract_together([again], ProcessExecutor(["cpu"]))] == [SLIDES[1]]
    for slide in SLIDES[:2]:
        np.testing.assert_array_equal(again.store.read(slide).vectors, whole.read(slide).vectors)


def test_what_a_killed_worker_was_writing_goes(tmp_path):
    extraction = plan(tmp_path)

    class Lost(LocalExecutor):
        def run(self, start, items):
            yield from super().run(start, items[:1])
            (extraction.store.folder / f".plismbench-{host_name()}-half.part").touch()
            raise ChildProcessError("It was killed")

    with pytest.raises(WorkerLost):
        list(extract_together([extraction], Lost()))
    assert set(contents(extraction.store.folder)) == {"manifest.json", f"{SLIDES[0]}.parquet"}


def test_tiles_of_a_slide_that_begins_anew_are_not_counted_twice(tmp_path):
    class Losing(LocalExecutor):
        """Loses a worker in the second slide, which another one does after the third."""

        def run(self, start, items):
            first, second, third = items
            yield from super().run(start, [first])
            yield next(super().run(start, [second]))
            yield ItemProgress(second, 0)
            yield from super().run(start, [third, second])

    counts = []
    list(extract_together([plan(tmp_path, slides=SLIDES[:3], batch_size=20)], Losing(), counts.append))
    assert counts == [20, 10, 20, -20, 20, 10, 20, 10]


def test_memory_does_not_grow_with_the_slides(tmp_path, monkeypatch):
    """Counts what is alive: batches of pixels of all readers together, never more than their share."""
    alive, most = set(), []
    batches = RandomTiles.batches

    def counted(self, slide, size):
        for batch in batches(self, slide, size):
            own = TileBatch(slide, batch.xy, batch.pixels.copy())
            alive.add(key := (slide, len(most)))
            weakref.finalize(own.pixels, alive.discard, key)
            most.append(len(alive))
            del batch
            yield own
            del own

    monkeypatch.setattr(RandomTiles, "batches", counted)
    list(extract_together([plan(tmp_path, batch_size=1)], LocalExecutor(), workers=2))
    assert len(most) == TILES * len(SLIDES)
    # Of each reader 2 that wait and 1 in hand, a slide that was read and waits, and 4 at the device.
    assert max(most) <= 2 * 3 + 3 + 4


def test_the_manifest_says_what_made_it(tmp_path):
    extraction = plan(tmp_path, precision=Precision.BF16)
    run(extraction)
    manifest = EmbeddingStore.open(extraction.store.folder).manifest
    assert ExtractorSpec(**manifest.extractor) == SPEC
    assert manifest.fingerprint == SPEC.fingerprint()
    assert (manifest.dataset, manifest.revision, manifest.precision, manifest.device) == ("tiny", "1", "bf16", "cpu")
    assert set(manifest.versions) == {"plismbench", "torch", "timm", "numpy"}


def test_a_second_run_does_nothing(tmp_path):
    first = plan(tmp_path)
    run(first)
    before = {path: path.stat().st_mtime_ns for path in first.store.folder.iterdir()}
    again = plan(tmp_path)
    assert (again.slides, again.skipped) == ((), SLIDES)
    assert run(again) == []
    assert {path: path.stat().st_mtime_ns for path in first.store.folder.iterdir()} == before


def test_only_the_missing_slides_are_done_again(tmp_path):
    first = plan(tmp_path)
    run(first)
    expected = contents(first.store.folder)
    first.store.path(SLIDES[3]).unlink()
    again = plan(tmp_path)
    assert run(again) == [SLIDES[3]]
    assert contents(first.store.folder) == expected


def test_existing_slides_are_replaced_or_refused_when_asked(tmp_path):
    run(plan(tmp_path, slides=SLIDES[:2]))
    with pytest.raises(AlreadyExists, match="'toy' has 2 of these slides already: GM_AT2, GM_P"):
        plan(tmp_path, existing=Existing.ERROR)
    assert run(plan(tmp_path, existing=Existing.REPLACE)) == list(SLIDES)


def test_a_store_of_something_else_is_not_mixed(tmp_path):
    run(plan(tmp_path, slides=SLIDES[:2]))
    other = dataclasses.replace(SPEC, std=(0.5, 0.5, 0.5))
    with pytest.raises(FingerprintMismatch, match="--existing replace"):
        plan(tmp_path, other)
    with pytest.raises(FingerprintMismatch, match="precision fp32, not bf16"):
        plan(tmp_path, precision=Precision.BF16)
    with pytest.raises(FingerprintMismatch, match="would lose 1 slides that are not asked for: GM_P"):
        plan(tmp_path, other, slides=(SLIDES[0],), existing=Existing.REPLACE)
    before = contents(tmp_path / "tiny/embeddings/toy")
    assert len(before) == 3
    for loader, error in (("toy_loaders:wider", ShapeMismatch), ("toy_loaders:no_such", BrokenPlugin)):
        with pytest.raises(error):
            run(plan(tmp_path, dataclasses.replace(SPEC, loader=loader), existing=Existing.REPLACE))
        assert contents(tmp_path / "tiny/embeddings/toy") == before  # what is replaced goes for something better
    (tmp_path / "tiny/embeddings/toy/efficiency.json").write_text("of the vectors that go")
    replaced = plan(tmp_path, other, existing=Existing.REPLACE)
    begun = extract_together([replaced], LocalExecutor())
    next(begun)
    assert read_efficiency(replaced.store.folder).extractor == "toy"  # also if it is killed now
    begun.close()
    run(plan(tmp_path, other))
    assert replaced.store.manifest.fingerprint == other.fingerprint()
    assert len(contents(replaced.store.folder)) == len(SLIDES) + 1


def test_a_store_holds_tiles_of_one_commit_of_each_repository(tmp_path):
    first = plan(tmp_path, slides=SLIDES[:2], commits={"org/tiles": "a" * 40})
    run(first)
    with pytest.raises(FingerprintMismatch, match=f"has tiles of org/tiles at commit {'a' * 12}, not {'b' * 12}") as no:
        plan(tmp_path, commits={"org/tiles": "b" * 40})
    assert "--existing replace" in no.value.hint
    with pytest.raises(FingerprintMismatch, match="would lose 1 slides that are not asked for: GM_P"):
        plan(tmp_path, slides=SLIDES[:1], existing=Existing.REPLACE, commits={"org/tiles": "b" * 40})
    assert plan(tmp_path, slides=SLIDES[:2], commits={"org/tiles": "b" * 40}).slides == ()  # nothing to do is fine
    # The other layout lies in another repository; what is left comes from there.
    run(plan(tmp_path, slides=SLIDES[:3], commits={"org/h5": "c" * 40}))
    found = EmbeddingStore.open(first.store.folder).manifest.tiles_commit
    assert found == {"org/tiles": "a" * 40, "org/h5": "c" * 40}
    with pytest.raises(FingerprintMismatch, match="org/h5"):
        plan(tmp_path, commits={"org/h5": "d" * 40})
    run(plan(tmp_path, existing=Existing.REPLACE, commits={"org/h5": "d" * 40}))
    assert EmbeddingStore.open(first.store.folder).manifest.tiles_commit == {"org/h5": "d" * 40}


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_slides_whose_files_are_others_now_are_named_and_can_be_replaced(tmp_path, executor):
    def extract(slides, digests, existing=Existing.SKIP):
        planned = plan(tmp_path, slides=slides, existing=existing, digests=dict(zip(slides, digests, strict=True)))
        list(extract_together([planned], executor_named(executor)))
        return planned.slides

    extract(SLIDES[:2], ["a", "b"])
    with pytest.raises(FingerprintMismatch, match="The files of GM_P are not those that the vectors in") as no:
        extract(SLIDES[:3], ["a", "x", "c"])
    assert "--existing replace" in no.value.hint
    assert extract(SLIDES[1:2], ["x"], Existing.REPLACE) == SLIDES[1:2]
    assert extract(SLIDES[:2], ["a", "x"]) == ()
    assert extract(SLIDES[:1], ["y"], Existing.REPLACE) == SLIDES[:1]  # another that was not asked for may wait
    with pytest.raises(FingerprintMismatch, match="The files of GM_P are"):
        extract(SLIDES[:2], ["y", "z"])
    assert plan(tmp_path, slides=SLIDES[:2]).slides == ()  # where nothing is known, nothing is asked


def test_a_damaged_manifest_is_replaced_with_its_slides(tmp_path):
    first = plan(tmp_path)
    run(first)
    (first.store.folder / "manifest.json").write_text("{")
    with pytest.raises(CorruptFile, match=r"manifest\.json"):
        plan(tmp_path)
    assert run(plan(tmp_path, existing=Existing.REPLACE)) == list(SLIDES)


@pytest.mark.parametrize("value", ["nan", "inf", "1e5"])
def test_what_is_no_number_in_float16_names_the_tile_and_is_not_kept(tmp_path, value):
    spec = dataclasses.replace(SPEC, loader="toy_loaders:spoilt", options={"value": value})
    extraction = plan(tmp_path, spec)
    with pytest.raises(NonFiniteValue, match=r"'toy' in fp32 .* for GM_AT2, tile \(0, 3\)") as caught:
        run(extraction)
    assert "the model itself gives it" in caught.value.hint
    assert "--precision" not in caught.value.hint
    assert not extraction.store.folder.exists() or contents(extraction.store.folder) == {}


@pytest.mark.parametrize(("precision", "next_one"), [(Precision.FP16, "bf16"), (Precision.BF16, "fp32")])
def test_a_narrow_precision_is_told_the_next_one(tmp_path, precision, next_one):
    spec = dataclasses.replace(SPEC, loader="toy_loaders:spoilt", options={"value": "nan"})
    with pytest.raises(NonFiniteValue) as caught:
        run(plan(tmp_path, spec, precision=precision))
    assert caught.value.hint == f"Try --precision {next_one}."


def test_another_dim_than_declared_is_refused_and_nothing_is_kept(tmp_path):
    extraction = plan(tmp_path, dataclasses.replace(SPEC, loader="toy_loaders:wider"))
    with pytest.raises(ShapeMismatch, match="declares dim 8; its vectors have 9"):
        run(extraction)
    assert contents(extraction.store.folder) == {}


def test_missing_tiles_are_refused(tmp_path):
    with pytest.raises(CorruptFile, match="GM_AT2 has 28 tiles; 30 are expected"):
        run(plan(tmp_path, source=RandomTiles(missing=2)))


def test_a_full_disk_keeps_the_slides_before_it_and_resumes(tmp_path, monkeypatch):
    whole = plan(tmp_path / "whole")
    run(whole)
    write = pq.write_table
    written = []

    def write_two(table, where, **options):
        written.append(where)
        if len(written) > 2:
            where.write_bytes(b"PAR1")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, where, **options)

    monkeypatch.setattr(pq, "write_table", write_two)
    extraction = plan(tmp_path / "cut")
    with pytest.raises(StorageFailure, match="disk is full"):
        run(extraction)
    assert len(contents(extraction.store.folder)) == 3
    monkeypatch.undo()
    resumed = plan(tmp_path / "cut")
    assert run(resumed) == list(SLIDES[2:])
    assert contents(resumed.store.folder) == contents(whole.store.folder)


def test_a_disk_that_takes_nothing_any_more_names_the_slide_that_did_not_fit(tmp_path, monkeypatch):
    replace = Path.replace

    def refuse(self, target):
        if target.name == f"{SLIDES[2]}.parquet" or target.name in refused:
            refused.add("efficiency.json")
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    refused = set()
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StorageFailure, match=rf"The disk is full: could not write .*{SLIDES[2]}\.parquet"):
        run(plan(tmp_path))
    assert refused


def test_what_a_person_agreed_to_is_known_on_other_machines(tmp_path, monkeypatch):
    class Elsewhere(LocalExecutor):
        def run(self, start, items):
            monkeypatch.delenv(TRUST)
            yield from super().run(start, items)

    monkeypatch.setenv(TRUST, "1")
    list(extract_together([plan(tmp_path, slides=SLIDES[:1])], Elsewhere()))
    assert os.environ[TRUST] == "1"


EXTRACT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_extraction import plan, run
run(plan(Path(sys.argv[2])))
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_ends_in_the_same_bytes(tmp_path):
    whole = plan(tmp_path / "whole")
    run(whole)
    command = [sys.executable, "-c", EXTRACT, TESTS, str(tmp_path / "cut")]
    folder = tmp_path / "cut/tiny/embeddings/toy"
    kills = 0
    # Killed when the first file appears, then at odd moments around the writing of later slides.
    for files, pause in ((0, 0.0), (1, 0.003), (2, 0.02), (4, 0.05)):
        process = subprocess.Popen(command)
        while process.poll() is None and len(list(folder.glob("*"))) <= files:
            time.sleep(0.0005)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    subprocess.run(command, check=True)
    assert contents(folder) == contents(whole.store.folder)


def test_what_will_be_written_is_vectors_and_coordinates():
    assert written_bytes(SPEC, 1_000) == 1_000 * (8 * 2 + 4 + 4)


INTERRUPTED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_tiles import SlowTiles
from plismbench.cli import app
from plismbench.extraction.extraction import extract_together
from small_extraction import executor_named, plan
if __name__ == "__main__":
    slow = plan(Path(sys.argv[2]), source=SlowTiles(log=sys.argv[3]))
    try:
        list(extract_together([slow], executor_named(sys.argv[4]), threads=1))
    except KeyboardInterrupt:
        app._leave(130)
"""


def processes_of_session(leader):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            found += [int(path.parent.name)] * (int(session) == leader and state != "Z")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "processes", pytest.param("ray", marks=needs_ray)])
def test_ctrl_c_keeps_whole_slides_and_the_same_command_goes_on(tmp_path, executor):
    whole = plan(tmp_path / "whole")
    run(whole)
    log = tmp_path / "log"
    log.mkdir()
    command = [
        sys.executable,
        "-c",
        INTERRUPTED,
        TESTS,
        str(tmp_path / "cut"),
        str(log),
        executor,
    ]
    folder = tmp_path / "cut/tiny/embeddings/toy"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, [TESTS, Path(TESTS).parent])),
        "RAY_worker_niceness": "0",  # it is 15
    }
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment)
    while process.poll() is None and not list(folder.glob("*.parquet")):
        time.sleep(0.01)
    assert process.poll() is None
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (130, "")
    while processes_of_session(process.pid) and time.monotonic() - begun < 3:
        time.sleep(0.01)  # what it leaves may end a moment after it
    assert processes_of_session(process.pid) == []
    assert time.monotonic() - begun < 3
    kept = contents(folder)
    assert 2 <= len(kept) < len(SLIDES) + 1
    assert {name: bytes_ for name, bytes_ in contents(whole.store.folder).items() if name in kept} == kept
    rest = plan(tmp_path / "cut")
    assert len(rest.slides) == len(SLIDES) + 1 - len(kept)
    run(rest)
    assert contents(folder) == contents(whole.store.folder)
