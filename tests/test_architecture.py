"""The floors of docs/architecture.md: a module imports only from floors below and from its own room."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "plismbench"
FLOORS = {
    "errors": 1,
    "machine": 1,
    "dataset": 2,
    "records": 2,
    "storage": 2,
    "tissue": 3,
    "own_dataset": 3,
    "pairs": 3,
    "workspace": 3,
    "hub": 3,
    "published": 3,
    "tiles": 4,
    "extractors": 4,
    "embeddings": 4,
    "search": 4,
    "execution": 4,
    "metrics": 5,
    "results": 6,
    "extraction": 7,
    "evaluation": 7,
    "leaderboard": 7,
    "submissions": 7,
    "doctor": 7,
    "reporting": 8,
    "cli": 9,
}
# Public faces: they import what they show, and nothing below imports them but the version.
FACES = {"__init__", "__main__"}

# What each room may not import at all; and what it may import only inside functions.
FORBIDDEN = {
    "errors": {"numpy", "torch", "polars", "typer", "rich"},
    "machine": {"numpy", "torch", "polars", "typer", "rich"},
    "dataset": {"torch", "polars", "typer", "rich"},
    "tissue": {"torch", "polars", "typer", "rich"},
    "own_dataset": {"torch", "polars", "typer", "rich"},
    "pairs": {"torch", "polars", "typer", "rich"},
    "storage": {"numpy", "torch", "polars", "typer", "rich"},
    "workspace": {"torch", "polars", "typer", "rich"},
    "hub": {"torch", "datasets", "polars", "typer", "rich"},
    "published": {"numpy", "torch", "polars", "typer", "rich"},
    "tiles": {"torch", "timm", "transformers", "faiss", "polars", "typer", "rich"},
    "extractors": {"datasets", "faiss", "polars", "pyarrow", "typer", "rich"},
    "embeddings": {"torch", "timm", "faiss", "datasets", "typer", "rich"},
    "search": {"polars", "pyarrow", "timm", "datasets", "typer", "rich"},
    "metrics": {"polars", "pyarrow", "pathlib", "faiss", "torch", "typer", "rich"},
    "execution": {"plismbench", "numpy", "polars", "torch", "typer", "rich"},
    "results": {"torch", "faiss", "typer", "rich"},
    "doctor": {"polars", "typer", "rich"},
    "extraction": {"typer", "rich", "polars", "faiss"},
    "evaluation": {"typer", "rich", "torch", "faiss"},
    "leaderboard": {"typer", "rich", "torch", "scipy"},
    "submissions": {"typer", "rich", "torch", "numpy"},
    "reporting": {"typer", "torch", "numpy", "faiss"},
    "cli": {"numpy", "faiss"},
}
LAZY = {
    "doctor": {"faiss", "huggingface_hub", "packaging", "torch"},
    "hub": {"huggingface_hub"},
    "tiles": {"datasets", "fsspec", "h5py", "huggingface_hub", "pyarrow", "skimage", "scipy"},
    "extractors": {"timm", "transformers", "skimage", "huggingface_hub"},
    "search": {"faiss", "torch"},
    "execution": {"ray"},
    "reporting": {"plotly", "kaleido", "polars", "rich", "tabulate", "jinja2"},
    "cli": {"torch", "rich", "polars"},
}
LIGHT_EXTRACTOR_FILES = {"spec", "registry"}  # a catalog lists in milliseconds


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path):
    """(module imported, whether at the top of the file) of every import that runs."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(outer)
    }
    typing_only = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.dump(outer.test)
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            # `from plismbench.search import engine` imports a module; `from plismbench import __version__` does not.
            yield node.module, id(node) not in inside
            if node.module == "plismbench":
                for alias in node.names:
                    if alias.name in FLOORS:
                        yield f"plismbench.{alias.name}", id(node) not in inside


def violations(path, found=None):
    room = room_of(path)
    for name, at_top in found or imports(path):
        package, _, rest = name.partition(".")
        if package == "plismbench":
            other = rest.partition(".")[0]
            if room in FACES or not other or other == room:
                continue
            if FLOORS[other] >= FLOORS[room]:
                yield f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})"
        if package in FORBIDDEN.get(room, ()) and not (package == "plismbench" and rest.partition(".")[0] == room):
            yield f"{room} imports {package}"
        if at_top and package in LAZY.get(room, ()):
            yield f"{room} imports {package} at the top of {path.name}"
        if (
            at_top
            and room == "extractors"
            and (path.stem in LIGHT_EXTRACTOR_FILES or path.parent.name == "catalog")
            and package in {"torch", "numpy"}
        ):
            yield f"extractors/{path.name} imports {package}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    assert list(violations(path)) == []


def test_every_room_has_a_floor():
    assert {room_of(path) for path in modules()} - FACES == set(FLOORS)


@pytest.mark.parametrize(
    ("place", "planted", "words"),
    [
        ("metrics/cosine.py", ("plismbench.evaluation.evaluation", False), "imports evaluation"),
        ("tiles/demo/demo.py", ("plismbench.extractors.spec", True), "imports extractors"),
        ("execution/local.py", ("plismbench.dataset", True), "execution imports plismbench"),
        ("metrics/cosine.py", ("faiss", False), "metrics imports faiss"),
        ("results/result.py", ("plismbench.evaluation.pair_metrics", True), "imports evaluation"),
        ("search/faiss_flat.py", ("faiss", True), "at the top"),
        ("extractors/catalog/terms.py", ("torch", True), "terms.py imports torch"),
    ],
)
def test_a_planted_violation_is_caught(place, planted, words):
    assert words in " ".join(violations(PACKAGE / place, [planted]))


def test_files_are_short():
    long = {str(path): n for path in modules() if (n := len(path.read_text().splitlines())) > 300}
    assert long == {}


def test_tests_mirror_the_tree():
    tests = Path(__file__).parent
    for path in modules():
        relative = path.relative_to(PACKAGE)
        if relative.stem.startswith("__"):
            continue
        mirror = tests / relative.parent / f"test_{relative.name}"
        assert mirror.exists(), f"{relative} has no {mirror.relative_to(tests)}"
    for path in tests.rglob("test_*.py"):
        relative = path.relative_to(tests)
        source = PACKAGE / relative.parent / relative.name.removeprefix("test_")
        if source.exists() or relative.parts[0] == "guest_package":
            continue
        assert relative.name in WITHOUT_SOURCE, f"{relative} mirrors nothing"


WITHOUT_SOURCE = {
    "test_architecture.py",
    "test_public_surface.py",
    "test_flow.py",
    "test_gpu_check.py",
    "test_on_gpu.py",
    "test_gpu_evaluation.py",
    "test_documents.py",
    "test_loopback_hub.py",
    "test_examples.py",
}
