"""Where weights are, by the look of a spec alone: light enough for a list of all models."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.file_kinds import readable
from plismbench.extractors.spec import FILE, ExtractorSpec

HUB, TIMM = "hf-hub:", "timm:"
ADDRESS = ("https://", "http://")
SHARDS = ".safetensors.index.json"  # how the table is called that says which file of several holds a tensor
USUAL = ("model.safetensors", "pytorch_model.bin", f"model{SHARDS}")
"""What is looked for where a spec names a repository and no file, in this order."""
COMMIT = re.compile(r"[0-9a-f]{40}")
_OF_TIMM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of the few of its files that are not on the Hub, the SHA-256
TIMM_MODEL = "plismbench.extractors.loaders:timm_model"
REMOTE_MODEL = "plismbench.extractors.remote:remote_model"
SAVED_MODEL = "plismbench.extractors.savedmodel:saved_model"
TRUST = "PLISMBENCH_TRUST_REMOTE_CODE"
"""Environment variable that, set to 1, lets the code of a repository run; ``--trust-remote-code`` sets it."""
_EXTRAS = {REMOTE_MODEL: "transformers", SAVED_MODEL: "tensorflow"}


def hub_repo(weights: str) -> tuple[str, str]:
    """``ORG/REPO`` of weights on the Hub, and their file, empty where they name none; nothing is checked."""
    parts = weights.removeprefix(HUB).split("/")
    return "/".join(parts[:2]), "/".join(parts[2:])


def is_pinned(spec: ExtractorSpec) -> bool:
    """Whether a commit or a hash fixes the weights, so that the fingerprint is final."""
    if spec.weights.startswith((HUB, TIMM)):
        pin = COMMIT if spec.weights.startswith(HUB) else _OF_TIMM
        return pin.fullmatch(spec.revision or "") is not None
    return bool(spec.revision) or not spec.weights.startswith((FILE, *ADDRESS))


def is_cached(spec: ExtractorSpec) -> bool | None:
    """Whether every file of the weights lies on this machine, without asking anyone; None where that cannot be told."""
    if not spec.weights:
        return True
    if base := base_of(spec):
        both = {is_cached(replace(spec, options={})), is_cached(base)}
        return False if False in both else None if None in both else True
    if spec.weights.startswith(FILE):
        with suppress(InvalidInput):
            return readable(spec.weights.removeprefix(FILE)).is_file()
        return False
    if spec.weights.startswith(ADDRESS):
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        return cached_address(spec.weights, Path(os.environ.get("TORCH_HOME", cache)).expanduser() / "hub").is_file()
    if not spec.weights.startswith(HUB):
        return None
    from huggingface_hub import constants

    repo, file = hub_repo(spec.weights)
    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"
    look = _has_saved_model if spec.loader == SAVED_MODEL else partial(_has_weights, file=file)
    found = [look(snapshot) for snapshot in folder.glob(spec.revision or "*")]
    return True if True in found else None if None in found else False


def _has_saved_model(snapshot: Path) -> bool:
    variables = snapshot / "variables"
    pieces = [path.name for path in variables.glob("variables.data-*-of-*") if path.is_file()]
    whole = bool(pieces) and len(pieces) == int(pieces[0].rpartition("-")[2])  # how many there are is in their names
    return whole and (snapshot / "saved_model.pb").is_file() and (variables / "variables.index").is_file()


def _has_weights(snapshot: Path, file: str) -> bool | None:
    there = (snapshot / name for name in ((file,) if file else USUAL))
    first = next((path for path in there if path.is_file()), None)
    if first is None or not first.name.endswith(SHARDS):
        return first is not None
    try:
        pieces = set(json.loads(first.read_text())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    # A network may need some of them only: which, its layout says, which needs torch.
    return all((first.parent / piece).is_file() for piece in pieces) or None


def base_of(spec: ExtractorSpec) -> ExtractorSpec | None:
    """The base model that the weights of a spec are a low-rank change to; None for any other spec."""
    adapts = spec.options.get("adapts") if spec.loader == TIMM_MODEL else None
    if not isinstance(adapts, Mapping):  # of a file of someone's, perhaps not checked yet
        return None
    return replace(
        spec,
        weights=str(adapts.get("weights", "")),
        revision=str(adapts.get("revision", "")),
        options={name: value for name, value in spec.options.items() if name != "adapts"},
    )


def extra_of(spec: ExtractorSpec) -> str | None:
    """The extra of plismbench that a model needs to be installed, ``plismbench[EXTRA]``."""
    return _EXTRAS.get(spec.loader)


def cached_address(address: str, torch_home: Path) -> Path:
    """Where the file of an address lies, or would lie, below torch's folder of downloads."""
    name = f"{sha256(address.encode()).hexdigest()[:12]}-{address.rpartition('/')[2]}"
    return torch_home / "checkpoints" / name
