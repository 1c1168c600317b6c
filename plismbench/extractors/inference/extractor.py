"""uint8 tiles to float16 vectors, on a device, in a precision."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from plismbench.errors import InvalidInput, NeedsAction, PlismbenchError, first_line_of
from plismbench.extractors.inference.precision import full_float32
from plismbench.extractors.loaders import failure_of_network, load_module
from plismbench.extractors.pooling import pooled
from plismbench.extractors.spec import BATCH_SIZES, ExtractorSpec, Precision
from plismbench.machine import device_failed, keep_freed_memory, lacks_memory

_AUTOCAST = {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}
NOT_FINITE = "NaN, infinity, a value above 65,504 or a vector too near 0 for float16"
"""What a float16 vector may not be, in words; 65,504 is the largest number that float16 has."""

_ROUNDED_OFF = 0.01
"""The share of a vector that rounding to float16 may take; it takes 0.0003, but more of what is below 6e-5."""

_PATCH = 8
"""Pixels of a ViT's patch, at least; the first layers of other networks take shorter steps."""


@dataclass(frozen=True)
class Extractor:
    """A network on a device that turns tiles into vectors.

    Args:
        spec: how tiles are prepared and tokens pooled.
        module: the network, in evaluation mode, on ``device``.
        device: where it runs.
        precision: of the forward pass; fp16 and bf16 run under autocast.
        compiled: whether the network went through ``torch.compile``.
    """

    spec: ExtractorSpec
    module: nn.Module
    device: torch.device
    precision: Precision
    compiled: bool = False

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
        """Vectors of some tiles; waits for them.

        Args:
            pixels: (n, height, width, 3) uint8.

        Returns:
            (n, dim) float16, as `forward` gives them.

        Raises:
            NeedsAction: if the device fails, or its memory is not enough.
            ShapeMismatch: if the network gives another shape than the spec says.
        """
        try:
            with device_errors(self.spec.name, self.device):
                return self.forward(torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)).cpu().numpy()
        except torch.OutOfMemoryError:
            raise NeedsAction(
                f"'{self.spec.name}' does not fit the memory of {self.device} with {len(pixels)} tiles at once.",
                hint="Use a larger device.",
            ) from None

    def forward(self, batch: Tensor) -> Tensor:
        """Vectors of some tiles, without leaving the device or waiting for it.

        Tiles are normalised there: (pixels / 255 - mean) / std. Pooling is done in float32.

        Args:
            batch: (n, height, width, 3) uint8 on the device.

        Returns:
            (n, dim) float16. A value that is not finite, or is above 65,504, comes out as NaN or infinity, and so
            does a vector that is so near 0 that float16 does not hold it: the caller knows which tile it is.

        Raises:
            ShapeMismatch: if the network gives another shape than the spec says.
            BrokenPlugin: if the network is not ours, and raises.
        """
        autocast = _AUTOCAST.get(self.precision)
        with torch.inference_mode(), full_float32():
            prepared = self.prepare(batch)
            with torch.autocast(self.device.type, dtype=autocast, enabled=autocast is not None):
                output = self._forward(prepared)
            return _rounded(pooled(output, self.spec, len(batch)))

    @property
    def n_params(self) -> int:
        """Parameters of the network, counted."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def _forward(self, prepared: Tensor) -> Any:
        try:
            with redirect_stdout(sys.stderr):  # stdout is the result's, whatever a network prints
                return self.module(prepared)
        except (PlismbenchError, torch.OutOfMemoryError):
            raise
        except (Exception, SystemExit) as error:  # who calls sys.exit would end this process, and nothing be said
            if lacks_memory(error) or device_failed(error):
                raise  # no network's fault: `device_errors` names the device
            if isinstance(error, Exception) and (self.compiled or self.spec.loader.startswith("plismbench.")):
                raise  # a bug of ours keeps its traceback; the runner says what could not be compiled
            raise failure_of_network(self.spec, self.module, error) from error

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, height, width, 3) uint8 as (n, 3, image_size, image_size) float32, normalised.

        Tiles of another size than the network's, or than the spec's ``resize``, are resized with
        antialiasing; of what is then larger than the network's input, the centre is kept. A tensor
        resize is not bit-equal to Pillow's, which rounds to bytes in between.
        """
        side = self.spec.image_size
        whole = self.spec.resize or side
        # As bytes, a quarter of what floats would take to move.
        image = batch.permute(0, 3, 1, 2).to(memory_format=self._memory_format).float() / 255
        if image.shape[2:] != (whole, whole):
            image = functional.interpolate(
                image, (whole, whole), mode=self.spec.interpolation, antialias=True, align_corners=False
            ).clamp(0, 1)
        start = round((whole - side) / 2)
        image = image[:, :, start : start + side, start : start + side]
        mean, std = self._scale
        return (image - mean) / std

    @cached_property
    def _memory_format(self) -> torch.memory_format:
        """How pixels lie in memory: channels last, as they are decoded, but for a network that cuts patches of them.

        On a CPU channels last makes the convolution that cuts patches four times slower, and most networks of
        convolutions 6 to 14 % faster (docs/performance.md). On a GPU it was not measured.
        """
        first = next((layer for layer in self.module.modules() if isinstance(layer, nn.Conv2d)), None)
        cuts = first is not None and first.stride[0] >= _PATCH
        return torch.contiguous_format if cuts else torch.preserve_format

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation on the device, once: making a tensor of a few numbers there waits for all it has to do."""
        mean, std = (
            torch.tensor(value, device=self.device)[:, None, None] for value in (self.spec.mean, self.spec.std)
        )
        return mean, std


def _rounded(vectors: Tensor) -> Tensor:
    """The same in float16; one that rounding takes too much of is NaN."""
    rounded = vectors.to(torch.float16)
    lost = (rounded - vectors).abs().sum(1)  # not squared, which would be 0 of what is near it
    return rounded.masked_fill(((lost > _ROUNDED_OFF * vectors.abs().sum(1)) & lost.isfinite())[:, None], torch.nan)


def load_extractor(spec: ExtractorSpec, device: str, precision: Precision, *, compiled: bool = False) -> Extractor:
    """Loads the network of a spec onto a device.

    For the CPU, this process keeps from now on what memory it frees (`keep_freed_memory`).

    Args:
        spec: the model.
        device: where it shall run.
        precision: of the forward pass.
        compiled: fuse its operations with ``torch.compile``, at the first batch.

    Raises:
        InvalidInput: if there is no such kind of device.
        NeedsAction: if the device is not there or fails, or the network does not fit its memory.
        PlismbenchError: as `load_module` does.
    """
    where = checked_device(device)
    if where.type == "cpu":
        keep_freed_memory()
    module = load_module(spec)
    try:
        with device_errors(spec.name, where):
            if where.type == "cuda" and where.index is not None:
                torch.cuda.set_device(where)  # else each return from a stream is one to the first GPU, and takes of it
            module.to(where)
    except torch.OutOfMemoryError:
        raise NeedsAction(
            f"'{spec.name}' does not fit the memory of {device}.", hint="Extract fewer models at once."
        ) from None
    if compiled:
        module.compile(dynamic=False)
    return Extractor(spec, module, where, precision, compiled)


@contextmanager
def device_errors(name: str, device: torch.device) -> Iterator[None]:
    """Turns the failure of a device into one sentence, and lack of memory of any kind into one error of torch.

    Raises:
        NeedsAction: naming the device, if it fails.
        torch.OutOfMemoryError: if its memory is not enough, also that of a CPU.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (MemoryError, RuntimeError) as error:
        if lacks_memory(error):
            raise torch.OutOfMemoryError(str(error)) from error
        if not device_failed(error):
            raise
        raise NeedsAction(
            f"Device {device} failed under '{name}': {first_line_of(error)}.",
            hint="Finished slides are kept; the same command goes on from there.",
        ) from error


def checked_device(name: str) -> torch.device:
    """The torch device of that name, if this machine has it.

    Raises:
        InvalidInput: if torch knows no such name.
        NeedsAction: if the device is not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidInput(f"No device named '{name}'.", hint="Say cpu, cuda, cuda:1 or auto.") from None
    if device.type == "cuda":
        # With a driver that is too old for it, torch counts devices that it cannot use.
        there = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= there:
            raise NeedsAction(
                f"Device '{name}' was asked for; torch {torch.__version__} finds {there} CUDA devices that it can use.",
                hint="Use --device cpu, or install a CUDA build of torch and a GPU driver that is new enough for it.",
            )
    return device


def default_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def default_precision(spec: ExtractorSpec, device: str) -> Precision:
    """What the authors recommend on a GPU; float32 on a CPU, where half precision is slower."""
    return Precision.FP32 if checked_device(device).type == "cpu" else spec.precision


def default_batch_size(device: str) -> int:
    """Tiles in a forward pass, if nobody says."""
    return BATCH_SIZES["cpu" if checked_device(device).type == "cpu" else "cuda"]
