"""Whether this machine has what the benchmark needs, and how to fix it if not."""

import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from plismbench.dataset import PLISM, RegisteredDataset
from plismbench.errors import CorruptFile, PlismbenchError
from plismbench.extractors.checkpoints.locations import HUB, base_of, hub_repo
from plismbench.extractors.spec import ExtractorSpec
from plismbench.hub import hub_errors
from plismbench.storage import nearest, require_writable
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace

# Bytes: all of PLISM's vectors at dim 1,536; both layouts.
_EMBEDDINGS = 4_600_000_000
_DOWNLOADS = {Layout.TILES: 146_000_000_000, Layout.H5: 225_000_000_000}
_GB = 10**9


class Verdict(StrEnum):
    """PASS: nothing is wrong. WARN: the benchmark runs all the same. FAIL: it does not, until this is fixed."""

    PASS = "PASS"  # noqa: S105  # no password
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at.

    Args:
        name: what.
        verdict: how it is.
        found: what was seen.
        fix: what to do about it; empty if nothing is wrong.
    """

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


def examine(root: Path, dataset: RegisteredDataset, gated: Sequence[ExtractorSpec]) -> Iterator[Diagnosis]:
    """Looks at one thing after another.

    Args:
        root: where everything is kept.
        dataset: the one whose tiles are looked for.
        gated: models whose access is tried.
    """
    yield Diagnosis("python", Verdict.PASS, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield _gpu()
    yield _faiss()
    yield _disk(root)
    hub = _hub()
    yield hub
    if hub.verdict is Verdict.PASS:
        yield _login()
        for spec in gated:
            if spec.weights.startswith(HUB):
                yield _access(spec)
    yield _tiles(Workspace(root, dataset.name), dataset)


def _packages() -> Iterator[Diagnosis]:
    from packaging.requirements import Requirement

    required = [Requirement(line) for line in metadata.requires("plismbench") or ()]
    required = [requirement for requirement in required if not requirement.marker or requirement.marker.evaluate()]
    good = []
    for requirement in required:
        version = _version(requirement.name)
        if version and requirement.specifier.contains(version, prereleases=True):
            good.append(f"{requirement.name} {version}")
        else:
            found = f"{requirement.name} {version or 'is not installed'}, not {requirement.specifier}"
            yield Diagnosis("package", Verdict.FAIL, found, f"pip install '{requirement.name}{requirement.specifier}'")
    yield Diagnosis("packages", Verdict.PASS, ", ".join(good))


def _gpu() -> Diagnosis:
    try:
        import torch
    except ImportError as error:
        return Diagnosis("gpu", Verdict.FAIL, f"torch cannot be imported: {error}", "pip install torch")
    if not torch.cuda.is_available():
        return Diagnosis(
            "gpu",
            Verdict.WARN,
            f"torch {torch.__version__} finds none; a foundation model on PLISM takes days on a CPU",
            "install a GPU driver and a CUDA build of torch, or use --dataset demo",
        )
    cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return Diagnosis("gpu", Verdict.PASS, ", ".join(f"{card.name} {card.total_memory / _GB:.0f} GB" for card in cards))


def _faiss() -> Diagnosis:
    try:
        import faiss
    except ImportError as error:
        return Diagnosis("faiss", Verdict.WARN, f"cannot be imported: {error}", "use evaluate --engine torch")
    if _version("faiss-cpu") and _version("faiss-gpu"):
        return Diagnosis(
            "faiss", Verdict.WARN, "faiss-cpu and faiss-gpu overwrite each other", "pip uninstall faiss-cpu"
        )
    kind = f"GPU build, {faiss.get_num_gpus()} GPUs" if hasattr(faiss, "StandardGpuResources") else "CPU build"
    return Diagnosis("faiss", Verdict.PASS, f"{faiss.__version__}, {kind}")


def _version(name: str) -> str:
    """Of a package; empty if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _disk(root: Path) -> Diagnosis:
    try:
        require_writable(root)
    except PlismbenchError as error:
        return Diagnosis("disk", Verdict.FAIL, error.message, error.hint or "")
    free = shutil.disk_usage(nearest(root)).free
    found = f"{free / _GB:,.1f} GB free in {root}"
    if free < _EMBEDDINGS:
        return Diagnosis("disk", Verdict.FAIL, f"{found}; a model's vectors take up to 4.6 GB", "use another --root")
    small = [layout for layout, size in _DOWNLOADS.items() if free < size]
    if small:
        needs = ", ".join(f"{layout} {_DOWNLOADS[layout] / _GB:.0f} GB" for layout in small)
        return Diagnosis(
            "disk", Verdict.WARN, f"{found}; a download of PLISM needs more: {needs}", "let extract stream"
        )
    return Diagnosis("disk", Verdict.PASS, found)


def _hub() -> Diagnosis:
    from huggingface_hub import HfApi, constants

    repo = Layout.TILES.repo
    try:
        with hub_errors(repo, PLISM.revision, kind="dataset"):
            HfApi().dataset_info(repo, revision=PLISM.revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except PlismbenchError as error:
        return Diagnosis("hub", Verdict.FAIL, error.message, error.hint or "")
    return Diagnosis("hub", Verdict.PASS, f"{constants.ENDPOINT} has {repo}")


def _login() -> Diagnosis:
    from huggingface_hub import HfApi, get_token

    if not get_token():
        return Diagnosis("login", Verdict.WARN, "no token; gated models need one", "hf auth login")
    try:
        with hub_errors("your account", None, kind="model"):
            return Diagnosis("login", Verdict.PASS, f"as {HfApi().whoami()['name']}")
    except PlismbenchError as error:
        return Diagnosis("login", Verdict.FAIL, error.message, "hf auth login")


def _access(spec: ExtractorSpec) -> Diagnosis:
    from huggingface_hub import HfApi

    places = [each.weights for each in (spec, base_of(spec)) if each and each.weights.startswith(HUB)]
    repos = [hub_repo(place)[0] for place in places]
    try:
        for repo in repos:
            with hub_errors(repo, None, kind="model"):
                HfApi().auth_check(repo)
    except PlismbenchError as error:
        return Diagnosis(spec.name, Verdict.FAIL, error.message, error.hint or "")
    return Diagnosis(spec.name, Verdict.PASS, f"access to {' and '.join(repos)}")


def _tiles(workspace: Workspace, dataset: RegisteredDataset) -> Diagnosis:
    from plismbench.tiles.plism.local import has_all

    found = []
    for layout in Layout:
        try:
            there = [slide for slide in dataset.slides if has_all(dataset, layout, workspace, [slide])]
        except CorruptFile as error:
            return Diagnosis("tiles", Verdict.FAIL, error.message, error.hint or "")
        found.append(f"{layout} has {len(there)} of {len(dataset.slides)} slides")
        if len(there) == len(dataset.slides):
            return Diagnosis("tiles", Verdict.PASS, f"{found[-1]} on the disk")
    summary = f"{', '.join(found)} on the disk; extract streams if one that it needs is not there"
    return Diagnosis("tiles", Verdict.WARN, summary, "plismbench download")
