"""This machine: what it has, and which errors say that it has no more memory or that its GPU failed."""

import ctypes
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def host_name() -> str:
    """What this machine is called on its network, as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", platform.node())


def n_cpus() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Memory of the machine, or of the container or batch job that this process is in, if that has less."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [path.read_text().strip() for path in _limits() if path.exists()]
    return min([whole, *(int(limit) for limit in limits if limit.isdigit())])


def keep_freed_memory() -> None:
    """Keeps memory that this process frees for its next use, and has torch ask for large pages.

    A forward pass on a CPU takes and frees what its layers give, a gigabyte a batch. Linux's usual C library hands
    that back to the system, which clears it anew for the next layer, page by page. Torch reads its variable at its
    first large tensor. Where the C library is another, nothing changes.

    Sources: https://man7.org/linux/man-pages/man3/mallopt.3.html,
    https://docs.pytorch.org/tutorials/recipes/inference_tuning_on_aws_graviton.html.
    """
    if sys.platform == "linux":
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune is not None:
            tune(_M_MMAP_MAX, 0)
            tune(_M_TRIM_THRESHOLD, -1)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc


def hardware() -> dict[str, str | int | float]:
    """Processor, cores and memory, for the record of a run."""
    return {"cpu": cpu_title(), "cores": n_cpus(), "memory_gb": round(memory_bytes() / 1e9, 1)}


_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def _limits() -> Iterator[Path]:
    """Files that may hold a limit of memory: of this process's control group and of each that it lies in.

    A container sees its own as the outermost; a batch job of Slurm lies deep in the machine's
    (https://man7.org/linux/man-pages/man7/cgroups.7.html, "/proc/pid/cgroup").
    """
    own = _OWN_CGROUPS.read_text(encoding="utf-8") if _OWN_CGROUPS.exists() else ""
    for line in own.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = (_CGROUPS / "memory", "memory.limit_in_bytes") if controllers else (_CGROUPS, "memory.max")
        inner = PurePosixPath(group).relative_to("/")
        yield from (top / folder / name for folder in (inner, *inner.parents))


def cpu_title() -> str:
    """What its maker calls the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


_REFUSED = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute this computation",  # cuDNN: https://github.com/pytorch/pytorch/issues/108645
    "failed to map segment from shared object",  # the system's loader of libraries, where a batch job is held to little
)
_FAILED = ("CUDA error", "CUDA driver error", "cuDNN error", "HIP error")


def lacks_memory(error: BaseException) -> bool:
    """Whether NumPy, torch on a CPU, CUDA or any library was refused memory, for which torch has no type."""
    message = f"{error} {error.__cause__}"  # faiss says another thing, and why
    return isinstance(error, MemoryError) or any(words in message for words in _REFUSED)


def device_failed(error: BaseException) -> bool:
    """Whether it is a GPU, its driver or a library of it that failed; only some of that has a type in torch."""
    return any(words in str(error) for words in _FAILED)
