"""What a model does on a few tiles, before it is trusted with many."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plismbench.errors import CorruptFile, ShapeMismatch
from plismbench.extractors.inference.devices import peak_memory
from plismbench.extractors.inference.extractor import NOT_FINITE, Extractor, load_extractor
from plismbench.extractors.loaders import versions_of
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.extractors.towers import FITTED
from plismbench.storage import write_text

Pixels = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float16]

# float16 keeps 11 bits, so a vector and itself rounded are some 1e-7 apart; half precision costs more.
_ROUNDING, _HALF_PRECISION, _RECORDED = 1e-5, 1e-2, 1e-4
_N_SINGLE = 4
_N_RECORDED = 4


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: what.
        value: what was found.
        expected: what it was held against: an equal value, the largest allowed distance, or words.
        passed: whether it is fine; None where there is nothing to hold it against.
    """

    name: str
    value: float | int | str
    expected: float | int | str | None = None
    passed: bool | None = None


def inspect_extractor(spec: ExtractorSpec, pixels: Pixels, device: str, record: Path | None) -> Iterator[Finding]:
    """Runs a model on some tiles in float32, and says what it saw, finding by finding.

    Distances are the largest 1 - cosine of a tile's two vectors.

    Args:
        spec: the model.
        pixels: (n, height, width, 3) uint8, of two or more unlike tiles.
        device: where it runs.
        record: vectors of an earlier day, if there are any, which `record_vectors` wrote; None to
            compare with none.

    Raises:
        PlismbenchError: as `load_extractor` does.
    """
    extractor = load_extractor(spec, device, Precision.FP32)
    same = None if spec.n_params is None else extractor.n_params == spec.n_params
    yield Finding("parameters", extractor.n_params, spec.n_params, same)
    if fitted := getattr(extractor.module, FITTED, ""):
        yield Finding("position embeddings", fitted)
    given: list[str] = []
    watch = extractor.module.register_forward_hook(
        lambda _module, _inputs, output: given.append(str(getattr(output, "dtype", "")).removeprefix("torch."))
    )
    try:
        vectors = extractor(pixels)
    except ShapeMismatch as error:
        yield Finding("shape", error.message, spec.dim, passed=False)
        return
    finally:
        watch.remove()
    yield Finding("shape", " × ".join(map(str, vectors.shape)), f"{len(pixels)} × {spec.dim}", passed=True)
    # Before it is cast: a network that works in another type is not what fp32 asks for.
    yield Finding("dtype", given[-1], "float32", given[-1] == "float32")
    finite = bool(np.isfinite(vectors).all())
    yield Finding("finite values", "all" if finite else NOT_FINITE, "all", finite)
    if not finite:
        return
    apart = _farthest(vectors, vectors[:1])  # of a collapsed model all are the same, or as good as
    yield Finding("unlike tiles", apart, "above rounding", apart > _ROUNDING)
    begun = time.perf_counter()
    again = extractor(pixels)
    rate = len(pixels) / (time.perf_counter() - begun)
    yield _equal("a second run", again, vectors)
    alone = np.concatenate([extractor(pixels[at : at + 1]) for at in range(min(_N_SINGLE, len(pixels)))])
    yield _distance(f"batch of 1 against {len(pixels)}", alone, vectors, _ROUNDING)
    half = Precision.FP16 if spec.precision is Precision.FP32 else spec.precision
    halved = Extractor(spec, extractor.module, extractor.device, half)(pixels)
    # Where the authors recommend float32, how far half precision is off is worth knowing and no fault.
    limit = None if spec.precision is Precision.FP32 else _HALF_PRECISION
    yield _distance(f"{half} against fp32", halved, vectors, limit)
    yield Finding("tiles per second", rate)
    yield Finding("peak memory, bytes", _peak_memory(extractor))
    del extractor  # two at once may not fit
    rebuilt = load_extractor(spec, device, Precision.FP32)(pixels)
    yield _equal("a second build", rebuilt, vectors)
    if record is not None:
        yield from _against_record(spec, vectors, record)


def record_vectors(spec: ExtractorSpec, pixels: Pixels, device: str, record: Path) -> None:
    """Keeps the float32 vectors of the first tiles, for an `inspect_extractor` of a later day.

    Raises:
        StorageFailure: if it cannot be written.
        PlismbenchError: as `load_extractor` does.
    """
    vectors = load_extractor(spec, device, Precision.FP32)(pixels)[:_N_RECORDED]
    fields = {"fingerprint": spec.fingerprint(), "versions": versions_of(spec), "vectors": vectors.tolist()}
    write_text(record, json.dumps(fields))


def _against_record(spec: ExtractorSpec, vectors: Vectors, record: Path) -> Iterator[Finding]:
    if not record.exists():
        return
    try:
        fields: dict[str, Any] = json.loads(record.read_text())
        kept = np.array(fields["vectors"], np.float16)
        fingerprint = str(fields["fingerprint"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile(
            f"{record} is not a record of vectors.", hint="Remove it, or replace it with --record."
        ) from error
    if fingerprint != spec.fingerprint():
        yield Finding("record", f"of another spec, {fingerprint}", spec.fingerprint())
    elif kept.shape != vectors[: len(kept)].shape:
        yield Finding("record", f"shape {kept.shape}", str(vectors[: len(kept)].shape), passed=False)
    else:
        yield _distance("against the record", vectors, kept, _RECORDED)


def _equal(name: str, a: Vectors, b: Vectors) -> Finding:
    same = np.array_equal(a, b)
    return Finding(name, "equal" if same else "differs", "equal", same)


def _distance(name: str, a: Vectors, b: Vectors, limit: float | None) -> Finding:
    """The largest distance of the tiles that both have."""
    n_tiles = min(len(a), len(b))
    worst = _farthest(a[:n_tiles], b[:n_tiles])
    return Finding(name, worst, limit, None if limit is None else worst <= limit)


def _farthest(a: Vectors, b: Vectors) -> float:
    """The largest 1 - cosine over the rows; vectors of zeros are at distance 0 of each other."""
    first, second = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = 1 - (first * second).sum(axis=1) / norms
    distances = np.where((first == second).all(axis=1), 0, distances)
    return max(float(np.max(np.nan_to_num(distances, nan=2.0))), 0.0)


def _peak_memory(extractor: Extractor) -> int:
    """Of the GPU, or of the whole process."""
    on_device = peak_memory(extractor.device)
    if on_device is not None:
        return on_device
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
