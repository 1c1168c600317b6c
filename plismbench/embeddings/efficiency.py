"""How fast an extractor was: a small JSON file beside the manifest."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from plismbench.records import read_record
from plismbench.storage import write_text
from plismbench.workspace import EFFICIENCY_FILE, Workspace

EFFICIENCY_FORMAT = "plismbench.efficiency/1"


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """What the forward passes of some tiles cost on one device.

    Args:
        extractor: its name.
        n_params: parameters of the network, counted.
        device: what the device is called by its maker.
        precision: of the forward pass.
        batch_size: tiles in a forward pass, the smallest that was come down to.
        compiled: whether the network went through ``torch.compile``.
        n_tiles: tiles it was measured on.
        forward_seconds: that devices worked on them: normalising, resizing, forward pass, pooling.
        peak_memory: bytes that tensors took on the device at most, weights included; None on a CPU.
            In a pass of several models, of all of them.
        wall_seconds: from the first tile asked for to the last slide written, start-up left out; None
            where nothing was extracted.
        n_devices: that worked side by side.
        n_together: models in the same pass over the tiles.
    """

    extractor: str
    n_params: int
    device: str
    precision: str
    batch_size: int
    compiled: bool
    n_tiles: int
    forward_seconds: float
    peak_memory: int | None
    wall_seconds: float | None = None
    n_devices: int = 1
    n_together: int = 1
    schema: str = EFFICIENCY_FORMAT

    @property
    def setting(self) -> tuple[str, bool, bool]:
        """What must be equal for times to be compared; fp16 and bf16 take as long."""
        return self.device, self.precision == "fp32", self.compiled

    @property
    def tiles_per_second(self) -> float:
        """Tiles a second of forward pass on one device: it does not depend on where tiles came from."""
        return self.n_tiles / self.forward_seconds

    @property
    def seconds_per_10k(self) -> float:
        """Seconds of forward pass for 10,000 tiles on one device."""
        return 10_000 / self.tiles_per_second

    def as_dict(self) -> dict[str, str | int | float | bool | None]:
        """Every field, and what follows from them, as plain JSON."""
        return asdict(self) | {
            "tiles_per_second": self.tiles_per_second,
            "seconds_per_10k": self.seconds_per_10k,
        }


def total(parts: Iterable[Efficiency]) -> Efficiency:
    """One extractor's slides together: sums of tiles and seconds, the largest memory, the smallest batch."""
    parts = list(parts)
    peaks = [part.peak_memory for part in parts if part.peak_memory is not None]
    return replace(
        parts[-1],
        device=", ".join(sorted({part.device for part in parts})),
        batch_size=min(part.batch_size for part in parts),
        n_tiles=sum(part.n_tiles for part in parts),
        forward_seconds=sum(part.forward_seconds for part in parts),
        peak_memory=max(peaks, default=None),
    )


def write_efficiency(folder: Path, efficiency: Efficiency) -> None:
    """Writes it beside a store's manifest, in place of an earlier run's."""
    write_text(folder / EFFICIENCY_FILE, json.dumps(efficiency.as_dict(), indent=2, sort_keys=True) + "\n")


def read_efficiency(folder: Path) -> Efficiency | None:
    """What the last run in a store's folder cost; None where it was not recorded.

    Raises:
        CorruptFile: if the file is damaged or of another version.
    """
    path = folder / EFFICIENCY_FILE
    if not path.exists():
        return None
    return read_record(path, Efficiency, EFFICIENCY_FORMAT, hint="Delete it; it holds nothing but times.")


def read_costs(workspace: Workspace) -> list[Efficiency]:
    """What each extraction of a data set cost, where that was recorded, by name.

    Raises:
        CorruptFile: if a record is damaged.
    """
    return [cost for folder in workspace.extracted() if (cost := read_efficiency(folder)) is not None]
