"""Every error that plismbench raises on purpose, drawn once.

PlismbenchError
├── GateFailed                   exit 1: a number is worse than a gate allows
├── InvalidInput                 exit 2: the command, a file or an array is wrong
│   ├── UnknownName              a name that nothing answers to, with the closest match
│   ├── DuplicateName            two owners of one name
│   ├── ShapeMismatch            arrays that do not fit together
│   ├── NonFiniteValue           NaN or infinity where a number is needed
│   ├── CorruptFile              a file that cannot be read as what it should be
│   ├── FingerprintMismatch      vectors made by something else
│   ├── AlreadyExists            work that would be overwritten
│   ├── MissingEmbeddings        nothing, or not everything, has been extracted
│   └── RejectedSubmission       an archive that does not hold what it says
└── NeedsAction                  exit 3: something must be installed, granted or downloaded
    ├── MissingPackage           an optional package is absent
    ├── BrokenPlugin             an installed plug-in does not load
    ├── AccessDenied             the Hub wants a token, or a licence accepted
    ├── Unavailable              weights or tiles could not be fetched
    ├── StorageFailure           a path that cannot be written, a full disk
    └── WorkerLost               a worker process or machine that is gone

`cli/app.py` turns them into one line on stderr and the exit code of the class. Anything else is a
bug of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from traceback import walk_tb
from typing import ClassVar


class PlismbenchError(Exception):
    """What happened, to which thing, and (as ``hint``) what to do next."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Workers in other processes send errors home; keyword-only arguments need help to pickle.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[PlismbenchError], message: str, hint: str | None) -> PlismbenchError:
    error = kind.__new__(kind)
    PlismbenchError.__init__(error, message, hint=hint)
    return error


def words_of(error: BaseException, *, kind: bool = False, file: str = "") -> str:
    """What an exception says, on one line and without a full stop, to stand in a sentence of ours.

    Args:
        error: anyone's.
        kind: whether its class is named too.
        file: source file whose last traceback line is added, if any.
    """
    words = " ".join((f"{type(error).__name__}: {error}" if kind else str(error)).split()).rstrip(".")
    lines = [line for frame, line in walk_tb(error.__traceback__) if file and frame.f_code.co_filename == file]
    return f"{words} ({PurePath(file).name}, line {lines[-1]})" if lines else words


def first_line_of(error: BaseException) -> str:
    """First line of the message without its full stop; the class name if there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")


def few_of(things: Sequence[object], most: int = 5) -> str:
    """The first of them by name, and how many more there are."""
    rest = f" and {len(things) - most:,} more" if len(things) > most else ""
    return f"{', '.join(map(str, things[:most]))}{rest}"


class GateFailed(PlismbenchError):
    """A number is worse than a gate allows."""

    exit_code = 1


class InvalidInput(PlismbenchError):
    """The command, a file or an array is wrong."""


_NAMED = 15  # names that are told where none is close


class UnknownName(InvalidInput):
    """A name that nothing answers to, with the closest match."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        known = sorted(known)
        by_fold = {candidate.casefold(): candidate for candidate in known}
        close = difflib.get_close_matches(name.casefold(), by_fold, n=1)
        if close:
            guess = f"Did you mean '{by_fold[close[0]]}'?"
        elif known:
            guess = f"Known: {', '.join(known[:_NAMED])}{', …' if len(known) > _NAMED else ''}."
        else:
            guess = None
        hints = " ".join(part for part in (guess, hint) if part)
        super().__init__(f"No {kind} named '{name}'.", hint=hints or None)


def require_known(kind: str, names: Iterable[str], known: Iterable[str], *, hint: str | None = None) -> None:
    """Checks names.

    Raises:
        UnknownName: for the first that is not known.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, known, hint=hint)


class DuplicateName(InvalidInput):
    """Two owners of one name."""


class ShapeMismatch(InvalidInput):
    """Arrays that do not fit together."""


class NonFiniteValue(InvalidInput):
    """NaN or infinity where a number is needed."""


class CorruptFile(InvalidInput):
    """A file that cannot be read as what it should be."""


class FingerprintMismatch(InvalidInput):
    """Vectors made by another spec, data revision or precision."""


class AlreadyExists(InvalidInput):
    """Work that would be overwritten."""


class MissingEmbeddings(InvalidInput):
    """Nothing, or not everything, has been extracted."""


class RejectedSubmission(InvalidInput):
    """An archive that does not hold what it says."""


class NeedsAction(PlismbenchError):
    """Something must be installed, granted or downloaded."""

    exit_code = 3


class MissingPackage(NeedsAction):
    """An optional package is absent."""


class BrokenPlugin(NeedsAction):
    """An installed plug-in does not load."""


class AccessDenied(NeedsAction):
    """The Hub wants a token, or a licence accepted."""


class Unavailable(NeedsAction):
    """Weights or tiles could not be fetched."""


class StorageFailure(NeedsAction):
    """A path that cannot be written, a full disk."""


class WorkerLost(NeedsAction):
    """A worker process or machine that is gone."""
