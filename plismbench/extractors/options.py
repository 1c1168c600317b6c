"""What the options of the built-in loaders may be, checked before anything is built or downloaded."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from plismbench.errors import InvalidInput, UnknownName
from plismbench.extractors.checkpoints.locations import REMOTE_MODEL, SAVED_MODEL, TIMM_MODEL
from plismbench.extractors.spec import ExtractorSpec


@dataclass(frozen=True)
class Option:
    """What a value must be.

    Args:
        words: the same for people, after "is".
        holds: whether a value is that.
        needed: of a table, what it must have.
    """

    words: str
    holds: Callable[[Any], bool]
    needed: Collection[str] = ()

    def refusal(self, value: Any) -> str:
        """What a value is not, in words."""
        lacking = [name for name in self.needed if isinstance(value, Mapping) and name not in value]
        return f"is {self.words}; got {value!r}{', without ' if lacking else ''}{', '.join(lacking)}"


def _whole(low: int, high: int) -> Option:
    return Option(f"a whole number from {low:,} to {high:,}", lambda value: type(value) is int and low <= value <= high)


def _one_of(*choices: str) -> Option:
    return Option(f"one of {', '.join(choices)}", lambda value: value in choices)


def _number(value: Any, low: float) -> bool:
    return type(value) in (int, float) and low <= value < math.inf


def _list_of(each: Option, words: str) -> Option:
    return Option(
        words, lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(map(each.holds, value))
    )


def _table(fields: Mapping[str, Option], optional: Collection[str] = ()) -> Option:
    words = ", ".join(f"{name} ({option.words})" for name, option in fields.items())
    needed = [name for name in fields if name not in optional]
    return Option(
        f"a table of {words}",
        lambda value: (
            isinstance(value, Mapping)
            and value.keys() >= set(needed)
            and all(name in fields and fields[name].holds(each) for name, each in value.items())
        ),
        needed,
    )


_TEXT = Option("text", lambda value: isinstance(value, str))
_SWITCH = Option("true or false", lambda value: isinstance(value, bool))
_POSITIVE = Option("a number above 0", lambda value: _number(value, 0) and value > 0)
_PIN = r"[0-9a-f]{40}([0-9a-f]{24})?"
_POSITION = {
    "interpolation": _one_of("bicubic", "bilinear"),
    "antialias": _SWITCH,
    "offset": Option("a number from 0 to below 1", lambda value: _number(value, 0) and value < 1),
}
_ADAPTS = {
    "weights": Option("where they are", lambda value: isinstance(value, str) and value != ""),
    "revision": Option("a commit or a SHA-256", lambda value: re.fullmatch(_PIN, str(value)) is not None),
    "prefix": _TEXT,
    "layers": _list_of(_TEXT, "a list of names"),
    "scale": _POSITIVE,
}

TOWER = {
    "architecture": _TEXT,
    "layout": _TEXT,
    "prefix": _TEXT,
    "position": _table(_POSITION, optional=_POSITION),
    "adapts": _table(_ADAPTS, optional=["prefix"]),
    "head": _list_of(_whole(1, 1_000_000), "a list of widths"),
    "normalise": _SWITCH,
    "norm_eps": _POSITIVE,
    "pooler": _one_of("attention", "projections"),
    "rope": _one_of("bfloat16"),
    "view": _one_of("channels", "two-scales"),
}
"""Of `loaders.timm_model`; all others are timm's keyword arguments."""

LOADING = {"checkpoint_path", "cache_dir", "features_only", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay"}
"""Arguments with which timm would read files that no fingerprint knows, or give something else than a network."""

_BASELINES = "plismbench.extractors.baselines"
_ALL: dict[str, dict[str, Option]] = {
    f"{_BASELINES}:constant": {},
    f"{_BASELINES}:small_pixels": {"side": _whole(1, 1_000)},
    f"{_BASELINES}:color_stats": {},
    f"{_BASELINES}:hed_stats": {},
    f"{_BASELINES}:random_timm": {"architecture": _TEXT, "seed": _whole(0, 2**63 - 1)},
    SAVED_MODEL: {"output": _TEXT},
    REMOTE_MODEL: {"output": _one_of("last_hidden_state", "pooler_output")},
}


def check_options(spec: ExtractorSpec) -> None:
    """Refuses options that the loader of a spec does not take; those of a loader of someone else's are not checked.

    Raises:
        InvalidInput: if an option has a wrong value, or a needed one is missing.
        UnknownName: if there is no such option.
    """
    options = TOWER if spec.loader == TIMM_MODEL else _ALL.get(spec.loader)
    if options is None:
        return
    for name, value in spec.options.items():
        if name in LOADING:
            raise InvalidInput(
                f"Extractor '{spec.name}': option {name} is not taken.", hint="Say in `weights` where they are."
            )
        if name in options and not options[name].holds(value):
            raise InvalidInput(f"Extractor '{spec.name}': option {name} {options[name].refusal(value)}.")
        if name not in options and spec.loader != TIMM_MODEL:
            raise UnknownName(f"option of {spec.loader}", name, options)
    for name in options.keys() - spec.options.keys() if spec.loader != TIMM_MODEL else ():
        raise InvalidInput(f"Extractor '{spec.name}': option {name} is missing; it is {options[name].words}.")
