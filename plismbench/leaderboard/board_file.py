"""Rankings as a file for other programs: ``plismbench.leaderboard/1``, described in docs/leaderboard.md."""

import json
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from plismbench.errors import CorruptFile
from plismbench.leaderboard.leaderboard import Leaderboard, LeaderboardRow
from plismbench.records import from_json

LEADERBOARD_FORMAT = "plismbench.leaderboard/1"

_HINT = "Write one with `plismbench leaderboard --write-baseline FILE`."


def board_text(boards: Sequence[Leaderboard]) -> str:
    """Rankings as JSON, with every field and digit."""
    records = [
        {
            "signature": board.signature,
            "chance": board.chance,
            "timed_on": board.timed_on,
            "rows": [row_fields(row) for row in board.rows],
        }
        for board in boards
    ]
    return json.dumps({"schema": LEADERBOARD_FORMAT, "boards": records}, indent=2) + "\n"


def row_fields(row: LeaderboardRow) -> dict[str, Any]:
    """Every field of a row; None where it is not known."""
    return {"score": row.score, "score_without_cosine": row.score_without_cosine, **asdict(row)}


def read_boards(path: Path) -> tuple[Leaderboard, ...]:
    """The rankings in a file of ``board_text``; fields that this version does not know are passed over.

    Raises:
        CorruptFile: if there is none, or it is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != LEADERBOARD_FORMAT:
            raise CorruptFile(
                f"{path} is {reprlib.repr(content['schema'])}; this version reads {LEADERBOARD_FORMAT}.", hint=_HINT
            )
        boards = tuple(map(_board, content["boards"]))
    except OSError as error:
        raise CorruptFile(f"Cannot read {path}: {error.strerror}.", hint=_HINT) from error
    except KeyError as error:
        raise CorruptFile(f"{path} is no {LEADERBOARD_FORMAT}: it has no {error}.", hint=_HINT) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptFile(f"{path} is no {LEADERBOARD_FORMAT}: {error}.", hint=_HINT) from error
    places = Counter((row.name, board.signature) for board in boards for row in board.rows)
    for (name, signature), count in places.items():
        if count > 1:
            raise CorruptFile(f"{path} has '{name}' of {signature} twice.", hint=_HINT)
    return boards


def _board(record: Mapping[str, Any]) -> Leaderboard:
    told = {name: record[name] for name in ("signature", "chance", "timed_on")}
    return replace(from_json(Leaderboard, told | {"rows": []}), rows=tuple(map(_row, record["rows"])))


def _row(record: Mapping[str, Any]) -> LeaderboardRow:
    return from_json(LeaderboardRow, {field.name: record[field.name] for field in fields(LeaderboardRow)})
