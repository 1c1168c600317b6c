"""Ray runs in processes of its own: it starts threads and warns, which the other tests do not allow."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from plismbench.execution.ray_cluster import RayExecutor

TESTS = Path(__file__).parent.parent
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'plismbench[ray]'")

CLUSTER = """
import os, sys
tests, root = sys.argv[1:]
sys.path.insert(0, tests)
os.environ["PYTHONPATH"] = os.pathsep.join([tests, os.path.dirname(tests)])  # of the nodes
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import time
import ray
from pathlib import Path
from ray.cluster_utils import Cluster
from small_tiles import SlowTiles
from test_extraction import plan
import small_work
from plismbench.execution.ray_cluster import RayExecutor
from plismbench.extraction import extract_together

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
executor = RayExecutor("cpu", address=cluster.address, on_gpu=False)
"""

LOST_NODE = (
    CLUSTER
    + """
found = list(executor.run(small_work.squares, range(12)))
assert sorted(square for square, _, _ in found) == [number**2 for number in range(12)], found
assert len({pid for _, _, pid in found}) == 2, found
print('>', "two workers")
try:
    list(executor.run(small_work.refusing, range(9)))
except ValueError as error:
    print('>', error)
log = Path(root) / "log"
log.mkdir(parents=True)
slow = plan(Path(root), source=SlowTiles(log=str(log)))
for number, done in enumerate(extract_together([slow], executor, threads=1)):
    if number == 0:
        cluster.remove_node(second, allow_graceful=False)
        print('>', "one node killed")
    print('>', done.slide)
for _ in range(600):  # it takes the head some seconds to believe it
    left = [node for node in ray.nodes() if node["Alive"]]
    if len(left) == 1:
        break
    time.sleep(0.1)
print('>', len(left), "node left")
ray.shutdown()
cluster.shutdown()
"""
)


@needs_ray
@pytest.mark.slow
def test_what_a_killed_node_had_goes_elsewhere_and_the_store_is_the_same(tmp_path):
    from stores import SLIDES
    from test_extraction import contents, plan, run

    whole = plan(tmp_path / "whole")
    run(whole)
    command = [sys.executable, "-c", LOST_NODE, str(TESTS), str(tmp_path / "cluster")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told = [line.removeprefix("> ") for line in done.stdout.splitlines() if line.startswith("> ")]  # Ray prints too
    assert told[:3] == ["two workers", "no 3", "one node killed"]
    assert sorted(told[3:-1]) == sorted(map(str, SLIDES))
    assert told[-1] == "1 node left"
    read = [path.name.split()[0] for path in (tmp_path / "cluster/log").iterdir()]
    assert set(read) == set(map(str, SLIDES))
    assert len(read) > len(SLIDES)  # some slide was begun on one node and done on the other
    assert contents(tmp_path / "cluster/tiny/embeddings/toy") == contents(whole.store.folder)


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_a_connection_error(tmp_path):
    code = """
from plismbench.execution.ray_cluster import RayExecutor
try:
    RayExecutor("cpu", address="auto", on_gpu=False)
except ConnectionError as error:
    print("refused")
"""
    environment = os.environ | {"RAY_TMPDIR": str(tmp_path)}  # where a cluster of this machine would be noted
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "refused\n", done.stderr


def test_without_ray_it_is_a_missing_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError):
        RayExecutor("cpu", address=None, on_gpu=False)
