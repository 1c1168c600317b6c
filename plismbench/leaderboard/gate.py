"""What a ranking must hold to: a baseline, a least score, a worst rank."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from plismbench.errors import InvalidInput, require_known
from plismbench.leaderboard.leaderboard import Leaderboard, LeaderboardRow
from plismbench.results.aggregation import TERMS

DEFAULT_TOLERANCE = 0.005
"""How far a number may fall below its baseline: half of what moves the second decimal."""

_DIGITS = 9  # a difference of exactly the tolerance is within it, whatever floats make of it


class Demand(StrEnum):
    """What is asked of a number."""

    PRESENT = "present"  # that there is one at all
    BASELINE = "baseline"
    LEAST_SCORE = "least score"
    WORST_RANK = "worst rank"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a gate asks for; None asks for nothing.

    Args:
        baseline: rankings of another day.
        tolerance: how far a number may fall below its baseline.
        models: the only ones that are looked at; all if there are none.
        least_score: of every model.
        worst_rank: of the named models, among those of their signature.

    Raises:
        InvalidInput: if it asks for nothing, for a rank of nobody, or for what is no number.
    """

    baseline: Sequence[Leaderboard] | None = None
    tolerance: float = DEFAULT_TOLERANCE
    models: Collection[str] = ()
    least_score: float | None = None
    worst_rank: int | None = None

    def __post_init__(self) -> None:
        if self.baseline is None and self.least_score is None and self.worst_rank is None:
            raise InvalidInput(
                "The gate has nothing to check.",
                hint="Give it --baseline, --fail-under or --require-rank; --model, --tolerance and --junit only modify"
                " those.",
            )
        if self.worst_rank is not None and not self.models:
            raise InvalidInput("--require-rank needs --model: not every model can be among the first.")
        if not math.isfinite(self.tolerance):
            raise InvalidInput(f"--tolerance must be a number; got {self.tolerance}.")
        if self.least_score is not None and not -1 <= self.least_score <= 1:
            raise InvalidInput(f"--fail-under must be a score, from -1 to 1; got {self.least_score:g}.")

    def concerns(self, model: str) -> bool:
        """Whether it is looked at."""
        return not self.models or model in self.models


@dataclass(frozen=True, kw_only=True)
class Check:
    """One number, and what was asked of it.

    Args:
        signature, model, term: which number: a term of the score, ``score`` or ``rank``.
        demand: what was asked.
        required: the baseline or the limit.
        now: None if there is none.
        passed: whether it holds.
        interval: the baseline's 95 % interval, where it is known.
        at_chance: whether the baseline is an accuracy that ranking at random has too: how it differs tells nothing.
    """

    signature: str
    model: str
    term: str
    demand: Demand
    required: float | None
    now: float | None
    passed: bool
    interval: tuple[float, float] | None = None
    at_chance: bool = False

    @property
    def outside(self) -> bool | None:
        """Whether the number lies outside the baseline's interval; None if that cannot be said."""
        if self.interval is None or self.now is None:
            return None
        return not self.interval[0] <= self.now <= self.interval[1]


def checks(boards: Sequence[Leaderboard], required: Requirements) -> tuple[Check, ...]:
    """Everything that the requirements ask of the rankings; like is compared with like alone.

    Raises:
        UnknownName: for a model that is neither ranked nor in the baseline.
        InvalidInput: if no result has a signature of the baseline, or the baseline lacks a model
            that is asked for: then there is nothing to compare.
    """
    known = {row.name for board in (*boards, *(required.baseline or ())) for row in board.rows if not row.published}
    require_known("result", required.models, known)
    found = [*_against_baseline(boards, required), *_limits(boards, required)]
    if not found:
        raise InvalidInput("There is no number to check.", hint="Run `plismbench evaluate` first.")
    return tuple(found)


def not_compared(boards: Sequence[Leaderboard], required: Requirements) -> dict[str, list[str]]:
    """The models by signature that the baseline lacks, so that none of their numbers is held against it."""
    if required.baseline is None:
        return {}
    found: dict[str, list[str]] = {}
    for signature, model in _by_place(boards, required).keys() - _by_place(required.baseline, required).keys():
        found.setdefault(signature, []).append(model)
    return {signature: sorted(models) for signature, models in sorted(found.items())}


def of_models(boards: Sequence[Leaderboard], names: Collection[str]) -> tuple[Leaderboard, ...]:
    """What the rankings say of some models, where they stand; of all if none is named.

    Raises:
        UnknownName: for a model that is not ranked.
    """
    known = {row.name for board in boards for row in board.rows}
    require_known("result", names, known)
    chosen = (replace(board, rows=tuple(row for row in board.rows if row.name in (names or known))) for board in boards)
    return tuple(board for board in chosen if board.rows)


def _against_baseline(boards: Sequence[Leaderboard], required: Requirements) -> Iterator[Check]:
    if required.baseline is None:
        return
    before, now = _by_place(required.baseline, required), _by_place(boards, required)
    missing = set(required.models) - {model for _, model in before}
    if missing or not before:
        raise InvalidInput(
            f"The baseline has no {', '.join(sorted(missing)) or 'result'}.",
            hint="Write one that has it, with --write-baseline FILE and without --model: it holds all results here.",
        )
    signatures = {board.signature for board in boards}
    if not signatures & {signature for signature, _ in before}:
        wanted = ", ".join(sorted({signature for signature, _ in before}))
        there = ", ".join(sorted(signatures)) or "none"
        raise InvalidInput(
            f"No result has the signature of the baseline, {wanted}; there is {there}.",
            hint="Only like results are compared: evaluate as the baseline was, or write a new one.",
        )
    chances = {board.signature: board.chance for board in required.baseline}
    for (signature, model), row in before.items():
        after = now.get((signature, model))
        check = partial(Check, signature=signature, model=model)
        score = None if after is None else after.score
        yield check(term="score", demand=Demand.PRESENT, required=row.score, now=score, passed=after is not None)
        for term in ("score", *TERMS) if after is not None else ():
            was, is_now = getattr(row, term), getattr(after, term)
            if was is None:
                continue
            passed = is_now is not None and round(was - is_now, _DIGITS) <= required.tolerance
            low, high = getattr(row, f"{term}_low"), getattr(row, f"{term}_high")
            interval = None if low is None or high is None else (low, high)
            chance = chances[signature]
            at_chance = term.startswith("top10_") and chance is not None and was <= chance
            yield check(
                term=term, demand=Demand.BASELINE, required=was, now=is_now, passed=passed, interval=interval,
                at_chance=at_chance,
            )  # fmt: skip


def _limits(boards: Sequence[Leaderboard], required: Requirements) -> Iterator[Check]:
    least, worst = required.least_score, required.worst_rank
    for (signature, model), row in _by_place(boards, required).items():
        check = partial(Check, signature=signature, model=model)
        if least is not None:
            passed = row.score is not None and row.score >= least
            yield check(term="score", demand=Demand.LEAST_SCORE, required=least, now=row.score, passed=passed)
        if worst is not None:
            passed = row.rank is not None and row.rank <= worst
            yield check(term="rank", demand=Demand.WORST_RANK, required=worst, now=row.rank, passed=passed)


def _by_place(boards: Sequence[Leaderboard], required: Requirements) -> dict[tuple[str, str], LeaderboardRow]:
    """Own rows by signature and model."""
    return {
        (board.signature, row.name): row
        for board in boards
        for row in board.rows
        if not row.published and required.concerns(row.name)
    }
