"""Dataclasses from the JSON that they were written as: a file may have been edited by hand, or be someone else's."""

import json
import math
import reprlib
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from plismbench.errors import CorruptFile

Record = TypeVar("Record")


def read_record(path: Path, kind: type[Record], schema: str, *, hint: str) -> Record:
    """The dataclass that a JSON file was written of, by this version: its ``schema`` says so.

    Raises:
        CorruptFile: with the hint, if the file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content.get("schema", schema) if isinstance(content, dict) else schema
        if found != schema:
            raise CorruptFile(f"{path} is {found}; this version reads {schema}.", hint=hint)
        return from_json(kind, content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise CorruptFile(f"Cannot read {path}: {error}.", hint=hint) from error


def from_json(kind: type[Record], content: object) -> Record:
    """A dataclass whose fields are those of a JSON object, each of its type; a list where it has a tuple becomes one.

    A float is finite, and may be written as an integer. What the object has of a property, for other programs, must
    follow from the fields.

    Raises:
        TypeError: naming the field that is missing, unknown or of another type.
    """
    if not isinstance(content, dict):
        raise TypeError("it is no JSON object")
    hints = get_type_hints(kind)
    derived = [name for name in content if isinstance(getattr(kind, name, None), property)]
    fields = {}
    for name, value in content.items():
        if name in derived:
            continue
        hint = hints.get(name, Any)
        if not _fits(value, hint):
            raise TypeError(f"its {name} is {reprlib.repr(value)}")
        fields[name] = tuple(value) if get_origin(hint) is tuple else value
    record = kind(**fields)
    for name in derived:
        if content[name] != getattr(record, name):
            raise TypeError(f"it says {name} {content[name]}, its fields say {getattr(record, name)}")
    return record


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
