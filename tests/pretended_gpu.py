"""A GPU in name only: tensors that say they are on CUDA, while the processor computes them.

What goes wrong on a GPU alone is mostly that a tensor is not where it is needed, that an operation has no
such form there, or that autocast takes another precision. All of that is torch's own here, in every thread;
only kernels, streams and memory are not CUDA's. It goes as torch's ``FakeTensorMode`` does, but computes.
"""

import threading
import time
from collections import Counter
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
COPIES = {aten.to, aten._to_copy, aten.copy_}
INDEXING = {aten.index, aten.index_put_}
PRODUCTS = {aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.matmul, aten.linear, aten.conv2d, aten.convolution,
            aten.scaled_dot_product_attention}  # fmt: skip
HALF = (torch.float16, torch.bfloat16)
WAITS = {aten.item, aten._local_scalar_dense, aten.nonzero}


class Pretended(torch.Tensor):
    """A tensor on the pretended GPU; ``held`` is the same on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        with torch.inference_mode(False):  # a view of a tensor from outside of it is none of its own
            return torch.Tensor._make_wrapper_subclass(
                cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
                device=torch.device("cuda", 0),
            )  # fmt: skip

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, operation, types, arguments=(), options=None):
        return GPU.compute(operation, arguments, options or {})


class Gpu:
    """What is asked of it.

    Attributes:
        waits: operations for which the host had to wait, and how often.
        sent: shapes of the tensors of float16 that were copied there.
    """

    def __init__(self):
        self.waits, self.sent = Counter(), []

    def compute(self, operation, arguments, options):
        """One operation of torch, if CUDA would take it."""
        kind = operation.overloadpacket
        tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor)]
        there = [isinstance(tensor, Pretended) for tensor in tensors]
        fits = all(on_gpu or not tensor.ndim for tensor, on_gpu in zip(tensors, there, strict=True))
        if any(there) and not (fits or kind in COPIES or (kind in INDEXING and there[0])):
            raise RuntimeError(f"{operation} of tensors on cuda:0 and on the CPU")
        after = there[0] if kind is aten.copy_ else any(there)
        for wanted in (leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.device)):
            after = wanted.type == "cuda"
        arguments, options = tree_map_only(torch.device, lambda _: torch.device("cpu"), (arguments, options))
        if kind in COPIES and any(there) != after:
            self._note_copy(operation, arguments, options, there=after)
        elif any(there) and (
            kind in WAITS or (kind in INDEXING and any(one.dtype == torch.bool for one in tensors[1:]))
        ):
            self.waits[str(operation)] += 1
        found = self._on_the_host(operation, *tree_map_only(Pretended, lambda one: one.held, (arguments, options)))
        written = operation._schema.arguments and operation._schema.arguments[0].alias_info
        if written and written.is_write:
            return arguments[0]
        return tree_map_only(torch.Tensor, Pretended, found) if after else found

    def _note_copy(self, operation, arguments, options, *, there):
        if there and arguments[0].dtype == torch.float16:
            self.sent.append(tuple(arguments[0].shape))
        if not (options.get("non_blocking") or (operation is aten.copy_.default and True in arguments[2:])):
            self.waits[str(operation)] += 1

    @staticmethod
    def _on_the_host(operation, arguments, options):
        if operation is aten.mm.dtype:  # only CUDA has it: products of float16, summed in float32
            a, b, dtype = arguments
            assert (a.dtype, dtype) == (torch.float16, torch.float32)
            return torch.mm(a.to(dtype), b.to(dtype))
        if operation.overloadpacket in PRODUCTS and arguments[0].dtype in HALF:  # rounded after it is summed
            wide = tree_map_only(torch.Tensor, lambda one: one.float() if one.dtype in HALF else one, arguments)
            return operation(*wide, **options).to(arguments[0].dtype)
        return operation(*arguments, **{key: value for key, value in options.items() if key != "pin_memory"})


GPU = Gpu()


class _Mode(TorchDispatchMode):
    """Where new tensors are made, and those of the CPU are copied."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        return GPU.compute(operation, arguments, options or {})


class Stream:
    """A stream on which everything is done at once."""

    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        """It is done already."""


class Event:
    """A moment on a stream."""

    def __init__(self, enable_timing=False, blocking=False):
        pass

    def record(self, stream):
        """Now."""
        self.at = time.perf_counter()

    def synchronize(self):
        """It is done already."""

    def elapsed_time(self, other):
        """Milliseconds."""
        return 1000 * (other.at - self.at)


@contextmanager
def pretended_gpu():
    """``cuda`` is the pretended GPU, in all threads that start meanwhile.

    Yields:
        The `Gpu`, which counts.
    """
    if torch.cuda.is_available():
        pytest.skip("there is a real one: `make gpu-check` asks it the same")
    GPU.waits.clear()
    GPU.sent.clear()
    run = threading.Thread.run

    def run_with_gpu(thread):
        with _Mode():
            run(thread)

    nothing = {"_lazy_init", "synchronize", "empty_cache", "reset_peak_memory_stats", "set_device"}
    told = {
        "is_available": True,
        "device_count": 1,
        "mem_get_info": (2**36, 2**37),
        "max_memory_allocated": 2**30,
        "get_device_name": "Pretended GPU",
        "is_bf16_supported": True,
    }
    torch._C._ensureCUDADeviceGuardSet()  # one that does nothing; it stays, and nobody else asks for it
    torch._C._set_only_lift_cpu_tensors(True)  # else torch.tensor(…, device="cuda") asks the driver
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a parameter cannot become one of another class
    with pytest.MonkeyPatch.context() as patch:
        for name, answer in (dict.fromkeys(nothing) | told).items():
            patch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
        for name, replaced in {"Stream": Stream, "Event": Event, "stream": lambda _: nullcontext()}.items():
            patch.setattr(torch.cuda, name, replaced)
        patch.setattr(torch.cuda, "current_stream", Stream)
        patch.setattr(torch.Tensor, "record_stream", lambda *_: None)
        patch.setattr(threading.Thread, "run", run_with_gpu)
        try:
            with _Mode():
                yield GPU
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
            torch.__future__.set_overwrite_module_params_on_conversion(False)
