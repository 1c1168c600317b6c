import inspect

import pytest

from plismbench.execution.executor import Executor
from plismbench.execution.local import LocalExecutor


@pytest.mark.parametrize("kind", [LocalExecutor])
def test_every_executor_keeps_the_contract(kind):
    contract = inspect.signature(Executor.run).parameters
    assert list(inspect.signature(kind.run).parameters) == list(contract) == ["self", "start", "items"]
    assert hasattr(kind, "n_workers")
