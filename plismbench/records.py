"""Dataclasses from the JSON that they were written as: a file may have been edited by hand, or be someone else's."""

import math
import reprlib
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def from_json(kind: type[Record], content: object) -> Record:
    """A dataclass whose fields are those of a JSON object, each of its type; a list where it has a tuple becomes one.

    A float is finite, and may be written as an integer.

    Raises:
        TypeError: naming the field that is missing, unknown or of another type.
    """
    if not isinstance(content, dict):
        raise TypeError("it is no JSON object")
    hints = get_type_hints(kind)
    fields = {}
    for name, value in content.items():
        hint = hints.get(name, Any)
        if not _fits(value, hint):
            raise TypeError(f"its {name} is {reprlib.repr(value)}")
        fields[name] = tuple(value) if get_origin(hint) is tuple else value
    return kind(**fields)


def _fits(value: object, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is UnionType:
        return any(_fits(value, one) for one in inner)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
    if origin is tuple:
        return isinstance(value, list) and all(_fits(item, inner[0]) for item in value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return math.isfinite(value)
        except OverflowError:  # an integer that no float is as large as
            return False
    return type(value) is hint
