import inspect

import pytest

from plismbench.execution.executor import Executor
from plismbench.execution.local import LocalExecutor
from plismbench.execution.processes import ProcessExecutor
from plismbench.execution.ray_cluster import RayExecutor


@pytest.mark.parametrize("kind", [LocalExecutor, ProcessExecutor, RayExecutor])
def test_every_executor_keeps_the_contract(kind):
    contract = inspect.signature(Executor.run).parameters
    assert list(inspect.signature(kind.run).parameters) == list(contract) == ["self", "start", "items"]
