import inspect

from plismbench.execution.executor import Executor
from plismbench.execution.local import LocalExecutor


def test_every_executor_keeps_the_contract():
    executor: Executor = LocalExecutor()
    contract = inspect.signature(Executor.map).parameters
    assert list(inspect.signature(type(executor).map).parameters) == list(contract) == ["self", "start", "items"]
