"""Float32 that is float32, whatever a network has switched on in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.backends import cudnn

_BACKENDS: Any = torch.backends  # whose types leave out the newer switches


@contextmanager
def full_float32() -> Iterator[None]:
    """A GPU rounds nothing that it multiplies to TF32, whose 10 bits are those of float16.

    Left to itself, torch has cuDNN do so in convolutions; a network may ask for it in all products when it is
    imported, for itself and for every other in the process. What was rounded before is so again afterwards.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices.
    """
    if _newer_switches_are_used():
        switches = (_BACKENDS.cudnn.conv, _BACKENDS.cudnn.rnn, _BACKENDS.cuda.matmul)
        before = [switch.fp32_precision for switch in switches]
        for switch in switches:
            switch.fp32_precision = "ieee"
        try:
            yield
        finally:
            for switch, value in zip(switches, before, strict=True):
                switch.fp32_precision = value
        return
    matmul = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)


def _newer_switches_are_used() -> bool:
    """Whether ``fp32_precision`` was set, beside which torch bars its older switches."""
    try:
        _ = cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:
        return True
    return bool(_BACKENDS.fp32_precision != "none")
