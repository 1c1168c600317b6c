"""A tiny extraction that several tests and their processes run."""

from small_tiles import RandomTiles
from stores import SLIDES

from plismbench.execution.local import LocalExecutor
from plismbench.execution.processes import ProcessExecutor
from plismbench.execution.ray_cluster import RayExecutor
from plismbench.extraction.extraction import extract_together, plan_extraction
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.tiles.choice import ChosenSource
from plismbench.workspace import EFFICIENCY_FILE, Existing, Workspace

SPEC = ExtractorSpec(name="toy", loader="toy_loaders:projection", dim=8, mean=(0, 0, 0), std=(1, 1, 1))
COLOUR = ExtractorSpec(name="colour", loader="plismbench.extractors.baselines:color_stats", dim=57)


def plan(root, spec=SPEC, slides=SLIDES, source=None, commits=None, digests=None, **changes):
    arguments = {"device": "cpu", "precision": Precision.FP32, "batch_size": 7, "existing": Existing.SKIP} | changes
    chosen = ChosenSource(source or RandomTiles(), "made up", commits=commits or {}, digests=digests or {})
    return plan_extraction(spec, chosen, slides, Workspace(root, "tiny"), **arguments)


def run(extraction):
    return [done.slide for done in extract_together([extraction], LocalExecutor())]


def contents(folder):
    """Names and bytes of a store, without how long it took."""
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.name != EFFICIENCY_FILE}


def executor_named(name):
    match name:
        case "local":
            return LocalExecutor()
        case "processes":
            return ProcessExecutor(["cpu", "cpu"])
        case "ray":
            return RayExecutor("cpu", address=None, on_gpu=False)
