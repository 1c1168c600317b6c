"""What models cost side by side, for people and programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plismbench.embeddings.efficiency import Efficiency
from plismbench.leaderboard.relative_times import relative_times
from plismbench.reporting.printing import UNKNOWN, TableFormat, csv_text, document, json_text, parameters
from plismbench.reporting.terminal import plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType

PROFILE_FORMAT = "plismbench.profile/1"

_HEADINGS = ("model", "params", "device", "precision", "batch", "tiles/s", "s/10k", "peak memory", "time")
_WORDS = ("model", "device", "precision")


def profile_parts(costs: Sequence[Efficiency], table_format: TableFormat) -> "list[RenderableType | str]":
    """Costs as they are printed: as CSV or JSON with every field."""
    rows: list[dict[str, Any]] = [
        {**cost.as_dict(), "relative_time": relative}
        for cost, relative in zip(costs, relative_times(costs), strict=True)
    ]
    match table_format:
        case TableFormat.TABLE:
            return [plain_table(_HEADINGS, _cells(costs), _WORDS)]
        case TableFormat.JSON:
            return [json_text(PROFILE_FORMAT, models=rows)]
        case TableFormat.CSV:
            return [csv_text(rows)]
    return [document(_HEADINGS, _cells(costs), table_format, left=_WORDS)]


def _cells(costs: Sequence[Efficiency]) -> list[list[str]]:
    return [
        [
            cost.extractor,
            parameters(cost.n_params),
            cost.device,
            cost.precision + (", compiled" if cost.compiled else ""),
            str(cost.batch_size),
            f"{cost.tiles_per_second:,.1f}",
            f"{cost.seconds_per_10k:,.1f}",
            UNKNOWN if cost.peak_memory is None else f"{cost.peak_memory / 1e9:.2f} GB",
            UNKNOWN if relative is None else f"{relative:.2f}",
        ]
        for cost, relative in zip(costs, relative_times(costs), strict=True)
    ]
