"""What others may import; a name that goes is a breaking change, so it goes on purpose."""

import subprocess
import sys

import plismbench


def test_the_public_names_are_frozen():
    assert plismbench.__all__ == [
        "ExtractorSpec",
        "PairGroup",
        "PlismbenchError",
        "Pooling",
        "Precision",
        "RegisteredDataset",
        "Slide",
        "SlidePair",
        "TileSubset",
        "__version__",
        "slide_pairs",
    ]
    assert sorted(plismbench.__all__) == plismbench.__all__
    assert all(hasattr(plismbench, name) for name in plismbench.__all__)


def test_importing_it_imports_nothing_heavy():
    heavy = "{'torch', 'timm', 'polars', 'pyarrow', 'faiss', 'datasets', 'rich', 'typer', 'plotly', 'skimage'}"
    code = f"import sys, plismbench; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
