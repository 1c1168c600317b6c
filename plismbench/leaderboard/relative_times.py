"""How long models take beside one another."""

from collections.abc import Sequence, Set

from plismbench.embeddings.efficiency import Efficiency
from plismbench.published import PUBLISHED_DEVICE, published_times

REFERENCE = "h0-mini"
"""The model whose time is 1, as in table 2 of its paper (https://arxiv.org/abs/2501.16239)."""


def relative_times(costs: Sequence[Efficiency]) -> list[float | None]:
    """Time for a tile where `REFERENCE` takes 1; None where it was not measured in the same way: see ``setting``."""
    references = {cost.setting: cost.seconds_per_10k for cost in costs if cost.extractor == REFERENCE}
    return [cost.seconds_per_10k / references[cost.setting] if cost.setting in references else None for cost in costs]


def known_times(names: Set[str], costs: Sequence[Efficiency]) -> tuple[dict[str, float], str]:
    """Relative times of some models, and the devices they were measured on: the published ones if none was measured."""
    measured = {
        cost.extractor: (relative, cost.device)
        for cost, relative in zip(costs, relative_times(costs), strict=True)
        if cost.extractor in names and relative is not None
    }
    if measured.keys() - {REFERENCE}:  # that it takes as long as itself is no news
        devices = sorted({device for _, device in measured.values()})
        return {name: relative for name, (relative, _) in measured.items()}, ", ".join(devices)
    published = {name: relative for name, relative in published_times().items() if name in names}
    return published, PUBLISHED_DEVICE if published else ""
