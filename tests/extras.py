"""Marks of tests that need a package which has no wheels on every machine."""

from importlib.util import find_spec

import pytest


def _needs(package):
    reason = f"{package} is not installed: pip install 'plismbench[{package}]'"
    return pytest.mark.skipif(find_spec(package) is None, reason=reason)


needs_ray, needs_tensorflow = _needs("ray"), _needs("tensorflow")
