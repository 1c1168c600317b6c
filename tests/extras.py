"""Marks of tests that need what not every machine has, such as a package without wheels for it."""

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest


def _needs(package):
    reason = f"{package} is not installed: pip install 'plismbench[{package}]'"
    return pytest.mark.skipif(find_spec(package) is None, reason=reason)


needs_ray, needs_tensorflow = _needs("ray"), _needs("tensorflow")
needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
needs_compiler = pytest.mark.skipif(
    shutil.which("c++") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="torch.compile needs a C++ compiler and Python's headers on a CPU",
)
