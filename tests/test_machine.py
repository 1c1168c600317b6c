import os
import platform
import subprocess
import sys

import pytest

from plismbench import machine
from plismbench.machine import device_failed, hardware, host_name, lacks_memory, memory_bytes, n_cpus


def test_cores_and_memory_are_those_of_the_system():
    assert 1 <= n_cpus() <= os.cpu_count()
    assert 10**8 < memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        ("0::/", "memory.max"),
        ("0::/job_7/step_0", "job_7/memory.max"),
        ("0::/job_7/step_0", "job_7/step_0/memory.max"),
        ("9:name=systemd:/\n4:cpu,memory:/job_7/a:b\n0::/", "memory/job_7/a:b/memory.limit_in_bytes"),
        ("4:memory:/unseen/in/a/container", "memory/memory.limit_in_bytes"),
    ],
)
def test_a_container_and_a_batch_job_have_less(monkeypatch, tmp_path, told, limit):
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    whole = memory_bytes()  # where nobody tells of control groups
    (tmp_path / "own").write_text(f"{told}\n")
    path = tmp_path / limit
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("max\n")
    assert memory_bytes() == whole
    path.write_text("123456789\n")
    assert memory_bytes() == 123_456_789


def test_another_s_limit_is_not_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("4:memory:/job_7\n3:cpuset:/job_8\n0::/\n")
    (tmp_path / "memory/job_8").mkdir(parents=True)
    (tmp_path / "memory/job_8/memory.limit_in_bytes").write_text("1\n")
    assert memory_bytes() > 1


def test_a_host_s_name_fits_into_a_file_s(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "gpu_7.cluster/x")
    assert host_name() == "gpu-7-cluster-x"


def test_the_record_names_the_processor():
    told = hardware()
    assert set(told) == {"cpu", "cores", "memory_gb"}
    assert told["memory_gb"] == pytest.approx(memory_bytes() / 1e9, abs=0.051)
    assert told["cpu"]


def test_what_a_library_says_of_another_is_heard():
    error = RuntimeError("faiss-gpu: failed to load libcublas.so.12")
    assert not lacks_memory(error)
    error.__cause__ = OSError("libcublasLt.so.12: failed to map segment from shared object")
    assert lacks_memory(error)


@pytest.mark.parametrize(
    ("error", "memory", "device"),
    [
        (MemoryError(), True, False),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("CUDA error: out of memory"), True, True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True, False),
        (RuntimeError("CUDA error: device-side assert triggered"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
    ],
)
def test_who_is_to_blame_for_an_error(error, memory, device):
    assert (lacks_memory(error), device_failed(error)) == (memory, device)


CLEARED = """
import resource
from plismbench.machine import keep_freed_memory
{call}
def take_and_free():
    b"x" * 2**26
take_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
take_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="any other malloc stays as it is")
def test_freed_memory_is_taken_again_without_the_system_clearing_it():
    def pages(call):
        told = subprocess.run([sys.executable, "-c", CLEARED.format(call=call)], check=True, capture_output=True)
        return int(told.stdout)

    assert pages("keep_freed_memory()") < 10 < pages("")  # few, and large, where all programs get large pages
