"""What this machine has, as far as it decides how fast something runs."""

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def host_name() -> str:
    """What this machine is called on its network, as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", platform.node())


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Memory of the machine, or of the container or batch job that this process is in, if that has less."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [path.read_text().strip() for path in _limits() if path.exists()]
    return min([whole, *(int(limit) for limit in limits if limit.isdigit())])


def hardware() -> dict[str, str | int | float]:
    """Processor, cores and memory, for the record of a run."""
    return {"cpu": _cpu(), "cores": n_cores(), "memory_gb": round(memory_bytes() / 1e9, 1)}


_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def _limits() -> Iterator[Path]:
    """Where limits of memory may be told: of this process's control group and of each that it lies in.

    A container sees its own as the outermost; a batch job of Slurm lies deep in the machine's
    (https://man7.org/linux/man-pages/man7/cgroups.7.html, "/proc/pid/cgroup").
    """
    told = _OWN_CGROUPS.read_text(encoding="utf-8") if _OWN_CGROUPS.exists() else ""
    for line in told.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = (_CGROUPS / "memory", "memory.limit_in_bytes") if controllers else (_CGROUPS, "memory.max")
        inner = PurePosixPath(group).relative_to("/")
        yield from (top / folder / name for folder in (inner, *inner.parents))


def _cpu() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
