import pytest
import torch
from torch.backends import cudnn

from plismbench.extractors.inference.precision import full_float32

SWITCHES = {"conv": cudnn.conv, "rnn": cudnn.rnn, "matmul": torch.backends.cuda.matmul}


def state():
    """What convolutions, recurrent layers and products multiply in; ``none`` is float32 in full."""
    return {name: switch.fp32_precision for name, switch in SWITCHES.items()}


def rounded():
    return {name for name, value in state().items() if value == "tf32"}


@pytest.fixture
def restored():
    before = state()
    yield
    torch.backends.fp32_precision = cudnn.fp32_precision = "none"
    for name, switch in SWITCHES.items():
        switch.fp32_precision = before[name]
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    "network",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("high"),
        lambda: setattr(cudnn.conv, "fp32_precision", "ieee"),
        lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
        lambda: setattr(cudnn, "fp32_precision", "tf32"),
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    ],
    ids=["nothing", "older switch", "convolutions", "products", "cuDNN", "all"],
)
def test_nothing_is_rounded_whatever_a_network_has_switched_on(network):
    network()
    before = rounded()
    for _ in range(2):
        with full_float32():
            assert set(state().values()) <= {"none", "ieee"}
        assert rounded() == before


@pytest.mark.usefixtures("restored")
def test_what_was_set_comes_back_after_an_error():
    torch.set_float32_matmul_precision("high")
    before = state()
    with pytest.raises(ZeroDivisionError), full_float32():
        raise ZeroDivisionError
    assert (state(), torch.get_float32_matmul_precision()) == (before, "high")
