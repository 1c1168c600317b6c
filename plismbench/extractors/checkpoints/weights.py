"""Checkpoints, from the Hub, from an address or from a file, as tensors by name."""

import json
import pickle
import re
import shutil
import warnings
from argparse import Namespace
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from plismbench.errors import CorruptFile, InvalidInput, Unavailable, words_of
from plismbench.extractors.checkpoints.file_kinds import existing_file, file_sha256, refuse_other_kind
from plismbench.extractors.checkpoints.locations import ADDRESS, HUB, SHARDS, USUAL, cached_address, hub_repo
from plismbench.extractors.checkpoints.prefixes import table_of
from plismbench.extractors.spec import FILE, ExtractorSpec
from plismbench.hub import hub_errors, require_model
from plismbench.storage import writing

# What training states hold besides tensors, none of which runs code: the arguments that DINO was called with, and
# open_clip's learning rate, a number of numpy, whose module older versions named otherwise.
_HARMLESS: list[Any] = [
    Namespace,
    np.dtype,
    type(np.dtype(np.float64)),
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
# How torch names a type that it does not read.
_NOT_READ = re.compile(r"GLOBAL (\S+) was not an allowed global")
# How a file of torch begins, a zip or (before 2020) a pickle; safetensors have the length of a JSON table first.
_MAGIC = (b"PK\x03\x04", b"\x80")


def read_weights(spec: ExtractorSpec, drop: str = r"(?!)", prefix: str = "") -> dict[str, Tensor]:
    """Every tensor of a spec's checkpoint, on the CPU; of a training state those that `table_of` finds.

    Args:
        spec: names the checkpoint.
        drop: a regular expression; of a checkpoint in several files none is fetched that only holds tensors at
            the beginning of whose names it matches.
        prefix: of the network's names, which may name a table.

    Raises:
        AccessDenied, Unavailable: if it cannot be had.
        InvalidInput: if the checkpoint holds more than tensors, or one network more than once, or the spec names no
            place.
        CorruptFile: if it cannot be read, or is not the file that the spec pins.
    """
    if spec.weights.startswith(HUB):
        path = _from_hub(spec)
        return _of_shards(path, spec, drop, prefix) if path.name.endswith(SHARDS) else _tensors(path, spec, prefix)
    if spec.weights.startswith(FILE):
        path = own_file(spec)
        if spec.revision and file_sha256(path) != spec.revision:
            raise CorruptFile(f"{path} is not the file that '{spec.name}' pins, of SHA-256 {spec.revision}.")
        return _tensors(path, spec, prefix)
    if spec.weights.startswith(ADDRESS):
        return _tensors(file_of_address(spec), spec, prefix)
    raise InvalidInput(
        f"Extractor '{spec.name}' has weights '{spec.weights}', which is no place.",
        hint="Write hf-hub:ORG/REPO, hf-hub:ORG/REPO/FILE, https://… or file:PATH.",
    )


def hub_place(spec: ExtractorSpec) -> tuple[str, str | None]:
    """``ORG/REPO`` and, where the spec names one, the file of weights on the Hub.

    Raises:
        InvalidInput: if the Hub can have no such repository.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HFValidationError

    repo, file = hub_repo(spec.weights)
    try:
        if "/" not in repo:
            raise HFValidationError(repo)
        hf_hub_url(repo, "config.json")  # asks no one; looks at the name
    except HFValidationError:
        raise InvalidInput(
            f"Extractor '{spec.name}' has weights '{spec.weights}', which is no repository of the Hub.",
            hint="Write hf-hub:ORG/REPO or hf-hub:ORG/REPO/FILE.",
        ) from None
    return repo, file or None


def own_file(spec: ExtractorSpec) -> Path:
    """The file that weights of ``file:PATH`` name.

    Raises:
        InvalidInput: if there is none, it is a folder, or cannot be read.
    """
    return existing_file(spec.weights.removeprefix(FILE), f"Weights of extractor '{spec.name}': ")


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
        content = json.loads(path.read_text())
    except ValueError as error:
        raise CorruptFile(f"{name} of {repo} is not JSON: {error}.") from error
    return content if isinstance(content, dict) else {}


def _from_hub(spec: ExtractorSpec) -> Path:
    repo, file = hub_place(spec)
    with hub_errors(repo, spec.revision, kind="model"):
        for name in (file,) if file else USUAL:
            if path := _hub_file(repo, name, spec.revision):
                return path
    raise Unavailable(
        f"{repo} has no {file or ' and no '.join(USUAL)} at revision '{spec.revision or 'main'}'.",
        hint="Name the file in the spec: hf-hub:ORG/REPO/FILE.",
    )


def _of_shards(index: Path, spec: ExtractorSpec, drop: str, prefix: str) -> dict[str, Tensor]:
    repo, file = hub_place(spec)
    try:
        holder = {str(key): str(name) for key, name in json.loads(index.read_text())["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{index.name} of {repo} does not say which file holds which tensor.") from error
    tensors: dict[str, Tensor] = {}
    for name in sorted({name for key, name in holder.items() if not re.match(drop, key)}):
        beside = str(PurePosixPath(file or "").parent / name)
        with hub_errors(repo, spec.revision, kind="model"):
            path = _hub_file(repo, beside, spec.revision)
        if path is None:
            raise Unavailable(f"{repo} has no {beside}, which its {index.name} names.")
        tensors |= _tensors(path, spec, prefix)
    return tensors


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


def file_of_address(spec: ExtractorSpec) -> Path:
    """The file at an address, downloaded once, into torch's own cache, whole or not at all.

    No two addresses have one name there. What lies there is held against the spec's SHA-256 each time.

    Raises:
        Unavailable: if it cannot be had.
        CorruptFile: if it is not the file that the spec pins, or no file of weights.
    """
    address = spec.weights
    path = cached_address(address, Path(torch.hub.get_dir()))
    if path.exists():
        _check_answer(path, spec, hint=f"Remove {path} and run the same command again.")
        return path
    with writing(path) as part:
        try:
            with urlopen(address, timeout=60) as answer, part.open("wb") as stream:  # noqa: S310 - https, or a test's
                shutil.copyfileobj(answer, stream)
                announced = int(answer.headers.get("Content-Length", stream.tell()))
        except HTTPError as error:
            error.close()
            raise Unavailable(f"{address} answers status {error.code}.", hint=f"Look at {spec.source}.") from error
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            raise Unavailable(f"Cannot reach {address}: {error}.", hint="Check the network.") from error
        if part.stat().st_size != announced:
            raise Unavailable(f"{address} broke off after {part.stat().st_size:,} of {announced:,} bytes.")
        _check_answer(part, spec, hint="Open the address in a browser; a network may want a login first.")
    return path


def _check_answer(path: Path, spec: ExtractorSpec, hint: str) -> None:
    """Refuses another file than the pinned one, and a page where weights are due."""
    with path.open("rb") as stream:
        begin = stream.read(9)
    if not begin.startswith(_MAGIC) and begin[8:] != b"{":
        raise CorruptFile(f"{spec.weights} gave no file of torch or safetensors; it begins with {begin!r}.", hint=hint)
    if spec.revision and file_sha256(path) != spec.revision:
        raise CorruptFile(
            f"{spec.weights} is not the file that '{spec.name}' pins, of SHA-256 {spec.revision}.", hint=hint
        )


def read_checkpoint(spec: ExtractorSpec) -> dict[str, Any]:
    """The file at an address as it is: tables of tensors, and what lies beside them.

    Raises:
        Unavailable: if it cannot be had.
        InvalidInput: if it holds what could run code, or is no table.
        CorruptFile: if it cannot be read, or is not the file that the spec pins.
    """
    path = file_of_address(spec)
    held = _held(path, spec)
    if not isinstance(held, Mapping):
        raise InvalidInput(f"{path.name} of extractor '{spec.name}' is not a table of tensors.")
    return dict(held)


def _held(path: Path, spec: ExtractorSpec) -> Any:
    refuse_other_kind(path, f"{path.name} of extractor '{spec.name}'")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # What torch says of types that it will drop is not for who has such a file.
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        kind = _NOT_READ.search(str(error))
        raise InvalidInput(
            f"{path.name} of extractor '{spec.name}' holds more than tensors{f' ({kind[1]})' if kind else ''} and is"
            " not loaded, as it could run code.",
            hint="Save its state_dict alone, best as safetensors.",
        ) from error
    except (OSError, RuntimeError, EOFError, SafetensorError) as error:
        # torch looks for its table of contents at the end, and before the beginning of a short file.
        short = ("Invalid argument", "central directory", "not fully covered")
        what = words_of(error)
        if not what or any(words in what for words in short):
            what = "it ends too early"
        raise CorruptFile(
            f"{path} cannot be read: {what}.",
            # The Hub's cache has a link, and takes what it leads to as downloaded.
            hint="Copy it again, whole."
            if spec.weights.startswith(FILE)
            else f"Remove {path.resolve()}, so that it is downloaded again.",
        ) from error


def _tensors(path: Path, spec: ExtractorSpec, prefix: str) -> dict[str, Tensor]:
    return table_of(_held(path, spec), prefix, f"{path.name} of extractor '{spec.name}'")
