import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import hf_file_system
from loopback_hub import Fault, FaultKind, LoopbackHub
from small_plism import REPO, SMALL, write_shards

from plismbench.dataset import Slide
from plismbench.errors import AccessDenied, CorruptFile, PlismbenchError, Unavailable
from plismbench.tiles.plism.hub import HubTiles
from plismbench.tiles.source import TileBatch

SOURCE = HubTiles(SMALL, REPO, "main")
SLIDE = Slide("GIVH", "S60")  # begins and ends inside a row group, and lies in two shards
API = f"/api/datasets/{REPO}"
FILES = r"/resolve/.*\.parquet"

Rows = list[dict[str, Any]]


def assert_same(batches: list[TileBatch], expected: TileBatch) -> None:
    np.testing.assert_array_equal(np.concatenate([batch.xy for batch in batches]), expected.xy)
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), expected.pixels)
    assert {batch.slide for batch in batches} == {expected.slide}


def one_line(error: PlismbenchError) -> str:
    assert "\n" not in str(error)
    return str(error)


def serve(rows: Rows, tmp_path: Path, **layout: int) -> LoopbackHub:
    write_shards(tmp_path / "root" / "datasets" / REPO, rows, **layout)
    return LoopbackHub(tmp_path / "root")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("slide", SMALL.slides, ids=str)
def test_any_slide_alone_has_the_pixels_that_were_published_by_x_then_y(
    tiles: dict[Slide, TileBatch], slide: Slide
) -> None:
    assert_same(list(SOURCE.batches(slide, 10)), tiles[slide])


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("size", "expected"), [(1, [1] * 25), (10, [10, 10, 5]), (25, [25]), (1000, [25])])
def test_a_batch_has_the_size_asked_for(tiles: dict[Slide, TileBatch], size: int, expected: list[int]) -> None:
    batches = list(SOURCE.batches(SLIDE, size))
    assert [len(batch) for batch in batches] == expected
    assert_same(batches, tiles[SLIDE])


def test_only_the_images_of_the_row_groups_of_the_slide_are_fetched(
    hub: LoopbackHub, published: Path, rows: Rows
) -> None:
    list(SOURCE.batches(SLIDE, 10))

    needed, fetched = set(), set()
    first_row = 0
    for path in sorted(published.rglob("*.parquet")):
        footer = pq.read_metadata(path)
        for group in range(footer.num_row_groups):
            content = rows[first_row : first_row + footer.row_group(group).num_rows]
            first_row += len(content)
            if any(row["slide_id"].startswith(f"{SLIDE}_to_") for row in content):
                needed.add((path.name, group))
            image = next(
                column
                for column in map(footer.row_group(group).column, range(footer.num_columns))
                if column.path_in_schema == "png.bytes"
            )
            begin = image.dictionary_page_offset or image.data_page_offset
            middle = begin + image.total_compressed_size // 2
            for request in hub.requested(f"GET .*{path.name}"):
                # The tail that holds the footer is 64 kB here, and reaches into the images.
                is_footer = request.last == path.stat().st_size - 1
                if request.first is not None and request.first <= middle <= (request.last or 0) and not is_footer:
                    fetched.add((path.name, group))
    assert fetched == needed
    sizes = {path.name: path.stat().st_size for path in published.rglob("*.parquet")}
    footers = [request for request in hub.requested(FILES) if request.last == sizes[Path(request.path).name] - 1]
    assert len(hub.requested(FILES)) == len(footers) + 2 * len(needed)  # the ids, and the images
    assert 1 < len({name for name, _ in needed}) < 5


def test_footers_are_read_once_for_all_slides(rows: Rows, tmp_path: Path) -> None:
    with serve(rows, tmp_path) as hub, hub.in_this_process(tmp_path / "hf"):
        for slide in SMALL.slides:
            list(SOURCE.batches(slide, 25))
        sizes = {path.name: path.stat().st_size for path in hub.root.rglob("*.parquet")}
        names = [Path(request.path).name for request in hub.requested(FILES) if request.last is not None]
        tails = [request.last == sizes[Path(request.path).name] - 1 for request in hub.requested(FILES)]
    footers = [name for name, is_tail in zip(names, tails, strict=True) if is_tail]
    assert sorted(footers) == sorted(sizes)


def test_a_repository_in_pages_is_listed_whole(published: Path, tmp_path: Path, tiles: dict[Slide, TileBatch]) -> None:
    with LoopbackHub(published, page_size=2) as hub, hub.in_this_process(tmp_path / "hf"):
        assert_same(list(SOURCE.batches(Slide("GM", "AT2"), 10)), tiles[Slide("GM", "AT2")])
        assert len(hub.requested(f"{API}/tree/")) == 3


def test_a_consumer_that_stops_early_stops_the_reading(rows: Rows, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with serve(rows, tmp_path, rows_per_group=1) as hub, hub.in_this_process(tmp_path / "hf"):
        batches = SOURCE.batches(SLIDE, 2)
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        # 25 tiles in 25 row groups: their ids, and less than all of their images.
        images = [request for request in hub.requested(FILES) if 1000 < request.n_bytes < 10_000]
        assert 2 <= len(images) < 20
    assert set(threading.enumerate()) <= before | {
        thread for thread in threading.enumerate() if thread.name.startswith(("pymp", "tqdm"))
    }


def test_a_source_travels_to_another_process(hub: LoopbackHub, tiles: dict[Slide, TileBatch], tmp_path: Path) -> None:
    program = (
        "import hashlib, pickle, sys\n"
        "source, slide = pickle.load(sys.stdin.buffer)\n"
        "digest = hashlib.sha256()\n"
        "for batch in source.batches(slide, 7): digest.update(batch.pixels.tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    message = pickle.dumps((SOURCE, SLIDE))
    assert len(message) < 2000
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=message,
        env=os.environ | hub.environment(tmp_path / "hf"),
        capture_output=True,
        check=True,
    )
    assert run.stderr == b""
    assert run.stdout.decode().strip() == hashlib.sha256(tiles[SLIDE].pixels.tobytes()).hexdigest()


STREAMED_BY_DATASETS = """
import sys
import datasets, numpy as np
rows = datasets.load_dataset(sys.argv[1], split="train", streaming=True)
ids, pixels = [], []
for row in rows:
    ids.append((row["slide_id"], row["tile_id"]))
    pixels.append(np.asarray(row["png"]))
np.savez(sys.argv[2], ids=np.array(ids), pixels=np.stack(pixels))
"""


def test_what_datasets_streams_is_the_same_bit_for_bit(hub: LoopbackHub, rows: Rows, tmp_path: Path) -> None:
    kept = tmp_path / "streamed.npz"
    run = subprocess.run(
        [sys.executable, "-c", STREAMED_BY_DATASETS, REPO, str(kept)],
        env=os.environ | hub.environment(tmp_path / "hf"),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    theirs = np.load(kept)
    assert theirs["ids"].tolist() == [[row["slide_id"], row["tile_id"]] for row in rows]
    assert not list((tmp_path / "hf").rglob("*.parquet"))  # really streamed
    for slide in SMALL.slides:
        of_slide = np.flatnonzero(np.char.startswith(theirs["ids"][:, 0], f"{slide}_to_"))
        xy = np.array([name.split("_")[2:] for name in theirs["ids"][of_slide, 1]], dtype=np.int32)
        by_x_then_y = np.lexsort((xy[:, 1], xy[:, 0]))  # they keep the order of the rows, which is that of text
        ours = list(SOURCE.batches(slide, 10))
        np.testing.assert_array_equal(np.concatenate([batch.xy for batch in ours]), xy[by_x_then_y])
        pixels = np.concatenate([batch.pixels for batch in ours])
        assert pixels.tobytes() == theirs["pixels"][of_slide[by_x_then_y]].tobytes()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(f"{API}/revision", status=503, times=2),
        Fault(f"{API}/revision", status=429, times=2, headers={"Retry-After": "1"}),
        Fault(f"{API}/tree", status=500, times=3),
        Fault(API, FaultKind.RESET, times=3),
        Fault(API, FaultKind.TRUNCATE, times=2),
        Fault(API, FaultKind.STALL, times=2),
        Fault(FILES, status=503, times=4),
        Fault(FILES, status=429, times=4, headers={"Retry-After": "3"}),
        Fault(FILES, FaultKind.RESET, times=3),
        Fault(FILES, FaultKind.RESET, times=15),  # longer than huggingface_hub asks again by itself
        Fault(FILES, status=503, times=15),
        Fault(FILES, FaultKind.TRUNCATE, times=3),
        Fault(FILES, FaultKind.STALL, times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.where}",
)
def test_a_fault_that_passes_changes_nothing(
    hub: LoopbackHub,
    tiles: dict[Slide, TileBatch],
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    for name in ("DOWNLOAD", "ETAG"):
        monkeypatch.setattr(f"huggingface_hub.constants.HF_HUB_{name}_TIMEOUT", 0.5)
    hub.faults.append(fault)
    assert_same(list(SOURCE.batches(SLIDE, 10)), tiles[SLIDE])
    assert fault.times == 0
    assert naps


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(f"{API}/revision", status=401), AccessDenied, ["401", f"/datasets/{REPO}", "HF_TOKEN"]),
        (
            Fault(FILES, status=403, headers={"X-Error-Code": "GatedRepo"}),
            AccessDenied,
            ["403", f"/datasets/{REPO}", "hf auth login"],
        ),
        (Fault(FILES, status=403), AccessDenied, ["403", f"/datasets/{REPO}"]),
        (
            Fault(f"{API}/revision", status=404, headers={"X-Error-Code": "RepoNotFound"}),
            Unavailable,
            [REPO, "'main'", f"/datasets/{REPO}"],
        ),
        (Fault(f"{API}/tree", status=404, headers={"X-Error-Code": "EntryNotFound"}), Unavailable, [REPO, "'main'"]),
        (Fault(FILES, status=404, headers={"X-Error-Code": "EntryNotFound"}), Unavailable, [REPO, "'main'"]),
        (Fault(f"{API}/revision", status=503), Unavailable, ["503", REPO, "run the same command again"]),
        (Fault(FILES, status=429), Unavailable, ["429", REPO, "run the same command again"]),
        (Fault(FILES, FaultKind.RESET), Unavailable, [REPO, "network"]),
        (Fault(FILES, FaultKind.TRUNCATE), Unavailable, [REPO, "network"]),
        (Fault(FILES, FaultKind.CORRUPT), Unavailable, [".parquet", "Run the same command again", "mirror"]),
        (Fault("GET", status=302, headers={"Location": f"{API}/revision/main"}), Unavailable, [REPO, "network"]),
        (
            Fault(FILES, status=302, headers={"Location": f"/datasets/{REPO}/resolve/main/a.parquet"}),
            Unavailable,
            [REPO],
        ),
        (Fault("", FaultKind.PAGE), Unavailable, [REPO, "not the Hub", "proxy"]),
        (Fault(f"{API}/tree", FaultKind.PAGE), Unavailable, [REPO, "not the Hub", "proxy"]),
        (Fault(FILES, FaultKind.PAGE), Unavailable, [".parquet", "not the Hub", "Log in to the network"]),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.where}" if isinstance(value, Fault) else "",
)
def test_a_fault_that_stays_is_one_sentence_after_a_bounded_number_of_tries(
    hub: LoopbackHub, naps: list[float], fault: Fault, kind: type[PlismbenchError], words: list[str]
) -> None:
    hub.faults.append(fault)
    with pytest.raises(kind) as raised:
        list(SOURCE.batches(SLIDE, 10))
    for word in words:
        assert word in one_line(raised.value)
    assert len(hub.requests) < 250
    if kind is AccessDenied:
        assert not naps  # waiting does not help


@pytest.mark.parametrize(
    ("told", "waited"), [("7", 7), ("100000", 300), ("Wed, 21 Oct 2026 07:28:00 GMT", 1)], ids=["soon", "late", "date"]
)
def test_a_busy_hub_is_asked_again_when_it_says_and_within_minutes(
    hub: LoopbackHub, naps: list[float], caplog: pytest.LogCaptureFixture, told: str, waited: float
) -> None:
    hub.faults.append(Fault(f"{API}/revision", status=429, times=1, headers={"Retry-After": told}))
    list(SOURCE.batches(SLIDE, 25))
    assert naps == [waited]
    assert caplog.messages == [f"The Hub does not answer as it should; asking again in {waited} s."]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Cannot send a request, as the client has been closed."),
        AttributeError("'NoneType' object has no attribute 'request'"),
    ],
    ids=["closed", "none"],
)
def test_a_client_that_another_thread_closed_is_asked_for_again(
    error: Exception, tiles: dict[Slide, TileBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, closed = hf_file_system.http_backoff, iter(range(3))

    def race(*arguments: Any, **options: Any) -> Any:
        if next(closed, None) is not None:
            raise error
        return ask(*arguments, **options)

    monkeypatch.setattr(hf_file_system, "http_backoff", race)
    assert_same(list(SOURCE.batches(SLIDE, 10)), tiles[SLIDE])


@pytest.mark.parametrize("kind", [FaultKind.PAGE, FaultKind.TRUNCATE])
def test_a_network_that_wants_a_login_in_the_middle_of_a_slide_is_no_damaged_shard(
    rows: Rows, tmp_path: Path, naps: list[float], kind: FaultKind
) -> None:
    with serve(rows, tmp_path, rows_per_group=1) as hub, hub.in_this_process(tmp_path / "hf"):
        batches = SOURCE.batches(SLIDE, 1)
        next(batches)
        hub.faults.append(Fault(FILES, kind))
        with pytest.raises(Unavailable) as raised:
            list(batches)
    assert "network" in one_line(raised.value)


@pytest.mark.usefixtures("hub")
def test_a_revision_that_does_not_exist_is_named() -> None:
    source = HubTiles(SMALL, REPO, "v9")
    with pytest.raises(Unavailable, match="'v9'"):
        list(source.batches(SLIDE, 10))


def test_a_hub_that_goes_away_in_the_middle_is_unavailable(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: Counter[int] = Counter()  # seconds by thread: the first that gives up ends the others

    def nap(seconds: float) -> None:
        naps[threading.get_ident()] += round(seconds)

    monkeypatch.setattr("time.sleep", nap)
    hub = serve(rows, tmp_path, rows_per_group=1)
    with hub.in_this_process(tmp_path / "hf"):
        with hub:
            batches = SOURCE.batches(SLIDE, 1)
            next(batches)
        with pytest.raises(Unavailable, match=f"Cannot reach {hub.url} for {REPO}: .*refused") as raised:
            list(batches)
    one_line(raised.value)
    assert 140 < max(naps.values()) < 600  # a router may start anew


@pytest.mark.parametrize(
    "environment",
    [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_ENDPOINT": "http://hub.invalid"}, {"HF_HUB_OFFLINE": "1"}],
    ids=["refused", "no such host", "offline"],
)
def test_without_a_network_the_next_step_comes_within_seconds(tmp_path: Path, environment: dict[str, str]) -> None:
    program = (
        "import sys\n"
        "from plismbench.dataset import PLISM, Slide\n"
        "from plismbench.errors import PlismbenchError\n"
        "from plismbench.tiles.plism.hub import HubTiles\n"
        "try: list(HubTiles(PLISM, 'owkin/plism-dataset-tiles', 'main').batches(Slide('GMH', 'S60'), 8))\n"
        "except PlismbenchError as error: print(error); sys.exit(error.exit_code)\n"
    )
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | {"HF_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 3
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1
    assert "owkin/plism-dataset-tiles" in run.stdout
    assert "--dataset demo" in run.stdout
    assert time.monotonic() - started < 15


STREAM = """
from small_plism import SMALL
from plismbench import dataset
dataset.DATASETS["plism"] = SMALL
from plismbench.cli.app import main
main()
"""


@pytest.mark.parametrize("seen", [1, 12])
def test_an_interruption_while_the_server_is_silent_ends_at_once(hub: LoopbackHub, tmp_path: Path, seen: int) -> None:
    tests = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.insert(0, {tests!r})" + STREAM
    hub.faults.append(Fault(FILES, FaultKind.STALL, times=None if seen == 1 else 0))
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            program,
            "extract",
            "--model=mean-color",
            "--slides=GIVH_S60",
            f"--root={tmp_path}/root",
        ],
        env=os.environ | hub.environment(tmp_path / "hf"),
        stderr=subprocess.PIPE,
    )
    while len(hub.requested(FILES)) < seen:
        if len(hub.requested(FILES)) >= 8:  # footers and ids are there: the images are not
            hub.faults[0].times = None
        time.sleep(0.001)
    time.sleep(0.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130
    assert told.endswith(b"plismbench: Interrupted. What was finished is kept; the same command goes on from there.\n")


def test_an_error_while_other_threads_read_ends_with_its_own_exit_code(hub: LoopbackHub, tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    hub.faults.append(Fault(FILES, FaultKind.PAGE))
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})" + STREAM,
         "extract", "--model=mean-color", "--slides=all", f"--root={tmp_path}/root"],
        env=os.environ | hub.environment(tmp_path / "hf"),
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (3, "")
    assert "Fatal Python error" not in run.stderr
    assert "plismbench: What was asked for" in run.stderr.splitlines()[-1]


def test_a_bad_image_is_named(rows: Rows, tmp_path: Path) -> None:
    index = next(index for index, row in enumerate(rows) if row["slide_id"].startswith(f"{SLIDE}_to_"))
    bad = dict(rows[index], png={"bytes": rows[index]["png"]["bytes"][:500], "path": "tile.png"})
    rows = [*rows[:index], bad, *rows[index + 1 :]]
    with serve(rows, tmp_path) as hub, hub.in_this_process(tmp_path / "hf"), pytest.raises(CorruptFile) as raised:
        list(SOURCE.batches(SLIDE, 10))
    place = f"tile {bad['tile_id']} of slide {SLIDE}, row 4 of row group 3 of train-00000-of-00005.parquet"
    for word in ("Not a whole PNG", place):
        assert word in one_line(raised.value)


def test_a_slide_that_is_not_there_is_named(hub: LoopbackHub) -> None:
    with pytest.raises(CorruptFile, match=r"Slide MY_P has 0 tiles in train-00000-.* to train-00004-.*; expected 25"):
        list(SOURCE.batches(Slide("MY", "P"), 10))
    assert len(hub.requests) < 100
