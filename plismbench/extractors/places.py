"""Where weights are, by the look of a spec alone: light enough for a list of all models."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from plismbench.extractors.spec import ExtractorSpec

HUB, TIMM, FILE = "hf-hub:", "timm:", "file:"
ADDRESS = ("https://", "http://")
SHARDS = ".safetensors.index.json"  # how the table is called that says which file of several holds a tensor
COMMIT = re.compile(r"[0-9a-f]{40}")
_OF_TIMM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of the few of its files that are not on the Hub, the SHA-256
TIMM_MODEL = "plismbench.extractors.loaders:timm_model"
REMOTE_MODEL = "plismbench.extractors.remote:remote_model"
SAVED_MODEL = "plismbench.extractors.savedmodel:saved_model"
_EXTRAS = {REMOTE_MODEL: "transformers", SAVED_MODEL: "tensorflow"}


def is_pinned(spec: ExtractorSpec) -> bool:
    """Whether the fingerprint of a spec is that of its vectors, without asking anyone."""
    if spec.weights.startswith((HUB, TIMM)):
        pin = COMMIT if spec.weights.startswith(HUB) else _OF_TIMM
        return pin.fullmatch(spec.revision or "") is not None
    return bool(spec.revision) or not spec.weights.startswith((FILE, *ADDRESS))


def is_cached(spec: ExtractorSpec) -> bool | None:
    """Whether the weights lie on this machine, without asking anyone; None where that cannot be told."""
    if not spec.weights:
        return True
    if base := beneath(spec):
        return is_cached(replace(spec, options={})) and is_cached(base)
    if spec.weights.startswith(FILE):
        return Path(spec.weights.removeprefix(FILE)).expanduser().is_file()
    if spec.weights.startswith(ADDRESS):
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        return cached_address(spec.weights, Path(os.environ.get("TORCH_HOME", cache)).expanduser() / "hub").is_file()
    if not spec.weights.startswith(HUB) or spec.weights.endswith(SHARDS):
        return None
    from huggingface_hub import constants

    parts = spec.weights.removeprefix(HUB).split("/")
    folder = Path(constants.HF_HUB_CACHE) / f"models--{'--'.join(parts[:2])}" / "snapshots"
    wanted = ["/".join(parts[2:])] if parts[2:] else ["*.safetensors", "pytorch_model.bin"]
    return any(any(folder.glob(f"{spec.revision or '*'}/{name}")) for name in wanted)


def beneath(spec: ExtractorSpec) -> ExtractorSpec | None:
    """The model that the weights of a spec are a change to; None where they are a change to none."""
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
