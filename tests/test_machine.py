import os

from plismbench import machine
from plismbench.machine import hardware, memory_bytes, n_cores


def test_cores_and_memory_are_those_of_the_system():
    assert 1 <= n_cores() <= os.cpu_count()
    assert 10**8 < memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_container_has_less(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (limit, tmp_path / "absent"))
    whole = memory_bytes()
    limit.write_text("max\n")
    assert memory_bytes() == whole
    limit.write_text("123456789\n")
    assert memory_bytes() == 123_456_789


def test_the_record_names_the_processor():
    told = hardware()
    assert set(told) == {"cpu", "cores", "memory_gb"}
    assert told["cpu"]
