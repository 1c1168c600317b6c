"""Writes docs/extractors.md from the catalog.

    python scripts/make_extractors_page.py

For developers; a test compares the page with what this writes.
"""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from plismbench.extractors.catalog import CATALOG, LEFT_OUT
from plismbench.extractors.catalog.general import FLOOR
from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.checkpoints.locations import base_of
from plismbench.extractors.spec import ExtractorSpec
from plismbench.published import published_names
from plismbench.reporting.printing import UNKNOWN, parameters

TARGET = Path(__file__).parents[1] / "docs" / "extractors.md"
_MODEL = ("model", "name", "from", "parameters", "dim", "pooling", "precision", "licence")
_INPUT = ("model", "px", "mean", "std", "prefix tokens", "weights", "revision")


def page() -> str:
    """The page as text."""
    models = [spec for spec in CATALOG if spec not in FLOOR]
    return f"""# Extractors

Generated from the catalog by `scripts/make_extractors_page.py`. The link of a model is the page that its
numbers came from; the architecture of each is built in the tests and has this number of parameters, those
apart that run code or a graph of their repository: {_remote()}.

Pooling and size in **bold** are those of a published PLISM result (owkin/plism-benchmark@b4f32b7, and for
GenBio-PathFM a later state of its README); of the other models there is none.
Another pooling is another extractor, `--model h0-mini+cls+mean`, and so is another size, `--model conch@448`:
the authors of CONCH and CONCH v1.5 use 448 px, and a variant of Midnight is made for 392.

Precision is what is recommended on a GPU. Parameters are those of the network that makes the vector.

{_table(_MODEL, [_model(spec) for spec in models])}

A gated model needs its terms accepted on its page, and then `hf auth login` or `HF_TOKEN`; a change to another
model needs those of both pages.

## What a network is shown, and where its weights are

{_table(_INPUT, [_input(spec) for spec in models])}

Prov-GigaPath and GigaPath-Flash enlarge a tile to 256 px and see its centre of 224. A revision is a commit,
or the SHA-256 of a file; where there is none, none is known, and `extract` takes the one that it finds.

Tiles are prepared on the device, in float32. At the network's own size, CLIP's normalisation included, the
result is bit for bit that of torchvision. Where a tile is resized, Pillow rounds to bytes between its two
passes and this does not: over demo tiles, at 256, 336, 384, 392, 448, 518 and 768 px, the largest difference is 1.01 of
255 for bilinear and 5.01 of 255 for bicubic, which overshoots; the mean is below 0.33 of 255, where rounding alone
gives 0.25. The tests hold every policy of the catalog to that.

## Without weights

{_table(("model", "name", "dim"), [(f"`{spec.name}`", spec.title, str(spec.dim)) for spec in FLOOR])}

## Not in the catalog

{_table(("model", "why"), [(f"`{name}`", why) for name, why in sorted(LEFT_OUT.items())])}

[Add an extractor](add-an-extractor.md) says how to bring any of them, or one of your own.
"""


def _remote() -> str:
    return ", ".join(f"`{spec.name}`" for spec in REMOTE)


def _model(spec: ExtractorSpec) -> tuple[str, ...]:
    pooling = f"**{spec.pooling}**" if spec.name in published_names() else str(spec.pooling)
    licence = spec.license + (", gated" if spec.gated else "")
    return (
        f"`{spec.name}`", f"[{spec.title}]({spec.source})", spec.organisation, parameters(spec.n_params),
        str(spec.dim), pooling, str(spec.precision), licence,
    )  # fmt: skip


def _input(spec: ExtractorSpec) -> tuple[str, ...]:
    size = f"**{spec.image_size}**" if spec.name in published_names() else str(spec.image_size)
    parts = [each for each in (spec, base_of(spec)) if each]
    weights = ", a change to ".join(f"`{each.weights}`" for each in parts)
    revision = ", ".join(f"`{each.revision[:8]}`" if each.revision else UNKNOWN for each in parts)
    tokens = str(spec.prefix_tokens) if spec.prefix_tokens else UNKNOWN
    numbers = (", ".join(f"{value:.3f}" for value in values) for values in (spec.mean, spec.std))
    return f"`{spec.name}`", size, *numbers, tokens, weights, revision


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = {"parameters", "dim", "px", "prefix tokens"}
    cells = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    alignment = ["right" if heading in numbers else "left" for heading in headings]
    return tabulate(cells, headers=headings, tablefmt="pipe", disable_numparse=True, colalign=alignment)


if __name__ == "__main__":
    TARGET.write_text(page())
