"""How fast a model is on a device, on synthetic tiles, with nothing read or written."""

from collections import deque

from plismbench.embeddings.efficiency import Efficiency, total
from plismbench.extraction.pipeline import IN_FLIGHT, measured
from plismbench.extractors.inference.devices import forget_peak_memory
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.inference.runner import VectorFutures, make_runner, noise_tiles
from plismbench.extractors.spec import ExtractorSpec, Precision


def profile_model(
    spec: ExtractorSpec,
    *,
    device: str,
    precision: Precision,
    batch_size: int | None,
    compiled: bool = False,
    n_tiles: int,
) -> Efficiency:
    """Times the forward passes of a model over noise, after one that does not count.

    Args:
        spec: the model.
        device: where it shall run.
        precision: of the forward pass.
        batch_size: tiles in a forward pass; None for what suits model and device.
        compiled: fuse its operations with ``torch.compile``.
        n_tiles: at least so many are timed, in whole batches.

    Raises:
        PlismbenchError: as `load_extractor` does.
    """
    forget_peak_memory(device)
    runner = make_runner(load_extractor(spec, device, precision, compiled=compiled), batch_size)
    runner.warm()
    tiles = noise_tiles(runner.batch_size)
    seconds, queued = [], deque[VectorFutures]()
    for _ in range(-(-n_tiles // len(tiles))):
        queued.append(runner.submit(tiles))
        if len(queued) > IN_FLIGHT:
            seconds.append(queued.popleft().result().seconds)
    seconds += [future.result().seconds for future in queued]
    return total(measured(runner, len(tiles), each) for each in seconds)
