import inspect

import pytest

from plismbench.execution.executor import Executor, portable
from plismbench.execution.local import LocalExecutor
from plismbench.execution.processes import ProcessExecutor
from plismbench.execution.ray_cluster import RayExecutor


@pytest.mark.parametrize("kind", [LocalExecutor, ProcessExecutor, RayExecutor])
def test_every_executor_keeps_the_contract(kind):
    contract = inspect.signature(Executor.run).parameters
    assert list(inspect.signature(kind.run).parameters) == list(contract) == ["self", "start", "items"]


def test_an_error_takes_its_traceback_along_or_is_described():
    class Unpicklable(Exception):
        pass

    for kind, expected in ((ValueError, ValueError), (Unpicklable, RuntimeError)):
        try:
            raise kind("odd")
        except (ValueError, Unpicklable) as error:
            copy = portable(error)
        assert type(copy) is expected
        assert "odd" in str(copy)
        assert expected is RuntimeError or "raise kind" in copy.__notes__[0]
