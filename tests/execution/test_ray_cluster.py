"""Ray runs in processes of its own: it starts threads and warns, which the other tests do not allow."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from extras import needs_ray

from plismbench.execution.ray_cluster import RayExecutor

TESTS = Path(__file__).parent.parent

LOST_NODE = """
import json, os, sys
tests, root, told = sys.argv[1:]
sys.path.insert(0, tests)
os.environ["PYTHONPATH"] = os.pathsep.join([tests, os.path.dirname(tests)])  # of the nodes
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_worker_niceness"] = "0"  # it is 15, and a busy machine would let the workers starve
import time
from functools import partial
import ray
from pathlib import Path
from ray.cluster_utils import Cluster
from small_tiles import TILES, SlowTiles
from small_extraction import COLOUR, SPEC, plan
import small_work
from plismbench.execution.executor import ItemProgress
from plismbench.execution.ray_cluster import RayExecutor
from plismbench.extraction.extraction import extract_together

seen = {}
impatient = {f"health_check_{word}": value for word, value in
             (("initial_delay_ms", 500), ("period_ms", 500), ("timeout_ms", 1000), ("failure_threshold", 3))}
head = {"num_cpus": 1, "include_dashboard": False, "_system_config": impatient}
cluster = Cluster(initialize_head=True, head_node_args=head)
seen["losses"] = []
executor = RayExecutor("cpu", address=cluster.address, on_gpu=False, on_loss=lambda *loss: seen["losses"].append(loss))
seen["workers"] = [executor.n_workers]
second = cluster.add_node(num_cpus=1)
seen["gpu workers"] = RayExecutor("cuda", address=cluster.address, on_gpu=True).n_workers
(Path(root) / "meeting").mkdir(parents=True)
seen["met"] = sorted(executor.run(partial(small_work.meeting, f"{root}/meeting"), range(6)))
seen["workers"].append(executor.n_workers)
begun = time.monotonic()
seen["said"] = [[round(time.monotonic() - begun, 2), str(word)] for word in executor.run(small_work.counting_down, "x")]
seen["errors"] = []
for work in (small_work.refusing, small_work.raising_unpicklable):
    try:
        list(executor.run(work, range(9)))
    except Exception as error:
        seen["errors"].append([type(error).__name__, str(error), getattr(error, "__notes__", [])])
try:
    list(executor.run(small_work.dying, range(9)))
except ChildProcessError as error:
    seen["last"] = str(error)

seen["losses"].clear()
log = Path(root) / "log"
log.mkdir()
plans = [plan(Path(root), spec, source=SlowTiles(log=str(log))) for spec in (SPEC, COLOUR)]
raylet = second.all_processes["raylet"][0].process.pid

def half_done_there(outcome):
    # Whether the second node is amid a slide whose first tiles are counted.
    if not (isinstance(outcome, ItemProgress) and 0 < outcome.n_done < 2 * TILES):
        return False
    readers = [path.name.split()[1] for path in log.glob(f"{outcome.item.slide} *")]
    return any(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(raylet) for pid in readers)

class Watched:
    n_workers = executor.n_workers

    def run(self, start, items):
        there = True
        for outcome in executor.run(start, items):
            yield outcome
            if there and half_done_there(outcome):
                cluster.remove_node(second, allow_graceful=False)
                there = False

seen["counts"] = []
seen["slides"] = [str(done.slide) for done in extract_together(plans, Watched(), seen["counts"].append, threads=1)]
for _ in range(600):  # it takes the head some seconds to believe it
    seen["nodes left"] = sum(node["Alive"] for node in ray.nodes())
    if seen["nodes left"] == 1:
        break
    time.sleep(0.1)
Path(told).write_text(json.dumps(seen))
ray.shutdown()
cluster.shutdown()
"""


@needs_ray
@pytest.mark.slow
def test_what_a_killed_node_had_goes_elsewhere_and_the_store_is_the_same(tmp_path):
    from small_extraction import COLOUR, SPEC, contents, plan, run
    from small_tiles import TILES
    from stores import SLIDES

    whole = [plan(tmp_path / "whole", spec) for spec in (SPEC, COLOUR)]
    for extraction in whole:
        run(extraction)
    told = tmp_path / "told.json"
    command = [sys.executable, "-c", LOST_NODE, str(TESTS), str(tmp_path / "cluster"), str(told)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    seen = json.loads(told.read_text())
    assert (seen["workers"], seen["gpu workers"]) == ([1, 2], 0)
    assert seen["met"] == list(range(6))  # by two processes, or none would have gone on: the late node works too
    assert [word for _, word in seen["said"]] == [*(f"ItemProgress(item='x', n_done={n})" for n in (1, 2, 3)), "x done"]
    assert seen["said"][-1][0] - seen["said"][0][0] > 0.25  # while it works, not with the outcome
    (kind, words, (note,)), (_, description, _) = seen["errors"]
    assert (kind, words) == ("ValueError", "no 3")
    assert "in refuse" in note
    assert "Unpicklable: odd" in description
    assert sum(seen["counts"]) == 2 * TILES * len(SLIDES)
    assert min(seen["counts"]) < 0  # what the killed node had begun
    assert sorted(seen["slides"]) == sorted(2 * list(map(str, SLIDES)))
    assert seen["nodes left"] == 1
    ((why, n_left),) = seen["losses"]
    assert why.startswith("The actor died")
    assert n_left == 1
    assert seen["last"].startswith("The last worker of the Ray cluster is lost (The actor died")
    read = [path.name.split()[0] for path in (tmp_path / "cluster/log").iterdir()]
    assert set(read) == set(map(str, SLIDES))
    assert len(read) > len(SLIDES)  # some slide was begun on one node and done on the other
    for extraction in whole:
        assert contents(tmp_path / "cluster/tiny/embeddings" / extraction.spec.name) == contents(
            extraction.store.folder
        )


@needs_ray
def test_a_cluster_that_is_not_there_is_a_connection_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        code = f"""
from plismbench.execution.ray_cluster import RayExecutor
for address in ("auto", {nobody!r}, "nonsense"):
    try:
        RayExecutor("cpu", address=address, on_gpu=False)
    except ConnectionError:
        print("refused", address)
"""
        environment = os.environ | {"RAY_TMPDIR": str(tmp_path)}  # where a cluster of this machine would be noted
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
        )
    assert done.stdout.splitlines() == ["refused auto", f"refused {nobody}", "refused nonsense"], done.stderr


def test_without_ray_it_is_a_missing_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError):
        RayExecutor("cpu", address=None, on_gpu=False)
