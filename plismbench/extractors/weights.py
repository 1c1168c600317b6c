"""Checkpoints, from the Hub, from an address or from a file, as tensors by name."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import torch
from torch import Tensor

from plismbench.errors import CorruptFile, InvalidInput, Unavailable
from plismbench.extractors.spec import ExtractorSpec
from plismbench.hub import hub_errors, require_model
from plismbench.workspace import writing

HUB = "hf-hub:"
_FILE = "file:"
_USUAL = ("model.safetensors", "pytorch_model.bin")
# A training state holds the network under one of these, beside an optimiser and the like.
_INSIDE = ("teacher", "state_dict", "model")


def read_weights(spec: ExtractorSpec) -> dict[str, Tensor]:
    """Every tensor of a spec's checkpoint, on the CPU.

    Raises:
        AccessDenied, Unavailable: if it cannot be had.
        InvalidInput: if the checkpoint holds more than tensors, or the spec names no place.
        CorruptFile: if it cannot be read, or is not the file that the spec pins.
    """
    if spec.weights.startswith(HUB):
        return _tensors(_from_hub(spec), spec)
    if spec.weights.startswith(_FILE):
        return _tensors(Path(spec.weights.removeprefix(_FILE)).expanduser(), spec)
    if spec.weights.startswith(("https://", "http://")):
        return _tensors(_from_address(spec), spec)
    raise InvalidInput(
        f"Extractor '{spec.name}' has weights '{spec.weights}', which is no place.",
        hint="Write hf-hub:ORG/REPO, hf-hub:ORG/REPO/FILE, https://… or file:PATH.",
    )


def hub_place(spec: ExtractorSpec) -> tuple[str, str | None]:
    """``ORG/REPO`` and, where the spec names one, the file of weights on the Hub."""
    org, _, rest = spec.weights.removeprefix(HUB).partition("/")
    repo, _, file = rest.partition("/")
    return f"{org}/{repo}", file or None


def hub_json(spec: ExtractorSpec, name: str) -> dict[str, Any]:
    """A JSON file that lies beside the weights on the Hub; empty if there is none.

    Raises:
        AccessDenied, Unavailable: if the repository cannot be had.
        CorruptFile: if it is not JSON.
    """
    repo, _ = hub_place(spec)
    with hub_errors(repo, spec.revision, kind="model"):
        path = _hub_file(repo, name, spec.revision)
    if path is None:
        return {}
    try:
        told = json.loads(path.read_text())
    except ValueError as error:
        raise CorruptFile(f"{name} of {repo} is not JSON: {error}.") from error
    return told if isinstance(told, dict) else {}


def _from_hub(spec: ExtractorSpec) -> Path:
    repo, file = hub_place(spec)
    with hub_errors(repo, spec.revision, kind="model"):
        for name in (file,) if file else _USUAL:
            if path := _hub_file(repo, name, spec.revision):
                return path
    raise Unavailable(
        f"{repo} has no {file or ' and no '.join(_USUAL)} at revision '{spec.revision or 'main'}'.",
        hint="Name the file in the spec: hf-hub:ORG/REPO/FILE.",
    )


def _hub_file(repo: str, name: str, revision: str | None) -> Path | None:
    """Where a file of the Hub lies on this machine, downloaded if need be; None if there is no such file."""
    from huggingface_hub import _CACHED_NO_EXIST, errors, hf_hub_download, try_to_load_from_cache

    found = try_to_load_from_cache(repo, name, revision=revision) if revision else None
    if isinstance(found, str):
        return Path(found)
    if found is _CACHED_NO_EXIST:
        return None
    require_model(repo, revision)
    try:
        return Path(hf_hub_download(repo, name, revision=revision))
    except errors.RemoteEntryNotFoundError:
        return None


def _from_address(spec: ExtractorSpec) -> Path:
    """Downloads once, into torch's own cache, whole or not at all; no two addresses have one name there."""
    address = spec.weights
    name = f"{hashlib.sha256(address.encode()).hexdigest()[:12]}-{address.rpartition('/')[2]}"
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.exists():
        return path
    with writing(path) as part:
        try:
            with urlopen(address, timeout=60) as answer, part.open("wb") as stream:  # noqa: S310 - https, or a test's
                shutil.copyfileobj(answer, stream)
                announced = int(answer.headers.get("Content-Length", stream.tell()))
        except HTTPError as error:
            raise Unavailable(f"{address} answers status {error.code}.", hint=f"Look at {spec.source}.") from error
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            raise Unavailable(f"Cannot reach {address}: {error}.", hint="Check the network.") from error
        if part.stat().st_size != announced:
            raise Unavailable(f"{address} broke off after {part.stat().st_size:,} of {announced:,} bytes.")
        if spec.revision and file_sha256(part) != spec.revision:
            raise CorruptFile(f"{address} is not the file that '{spec.name}' pins, of SHA-256 {spec.revision}.")
    return path


def file_sha256(path: Path) -> str:
    """The hash of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tensors(path: Path, spec: ExtractorSpec) -> dict[str, Tensor]:
    if not path.exists():
        raise Unavailable(f"There is no checkpoint {path}, which extractor '{spec.name}' names.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            held: Any = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidInput(
            f"{path.name} of extractor '{spec.name}' holds more than tensors and is not loaded, as it could run code.",
            hint="Save its state_dict alone, best as safetensors.",
        ) from error
    except Exception as error:
        if type(error).__name__ not in ("SafetensorError", "RuntimeError", "EOFError"):
            raise
        raise CorruptFile(f"{path} cannot be read: {' '.join(str(error).split()).rstrip('.')}.") from error
    for key in _INSIDE:
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
        raise InvalidInput(f"{path.name} of extractor '{spec.name}' is not a table of tensors.")
    return dict(held)
