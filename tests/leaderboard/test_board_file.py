import json
import re
from pathlib import Path

import pytest
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile
from plismbench.leaderboard.board_file import LEADERBOARD_FORMAT, board_text, read_boards, row_fields
from plismbench.leaderboard.leaderboard import leaderboards, published

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


def boards():
    results = [make_result("a", slides=SLIDES), make_result("b", 0.3, SLIDES), make_result("c", slides=SLIDES, ks=(1,))]
    return (*leaderboards(results), published())


def test_what_is_written_reads_back_the_same(tmp_path):
    path = tmp_path / "board.json"
    path.write_text(board_text(boards()))
    assert read_boards(path) == boards()


def test_every_field_is_there_and_flat():
    fields = row_fields(boards()[0].rows[0])
    assert all(value is None or isinstance(value, (str, int, float)) for value in fields.values())
    assert fields["cosine_low"] <= fields["cosine"] <= fields["cosine_high"]
    assert fields["score"] == boards()[0].rows[0].score


def test_the_schema_is_documented():
    page = (Path(__file__).parents[2] / "docs/leaderboard.md").read_text()
    table = page.partition("| field | |")[2].partition("\n\n")[0]
    told = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert told == set(row_fields(boards()[0].rows[0]))


def test_fields_of_a_later_version_are_passed_over(tmp_path):
    told = json.loads(board_text(boards()))
    told["boards"][0]["rows"][0]["later"] = 1
    path = tmp_path / "board.json"
    path.write_text(json.dumps(told))
    assert read_boards(path) == boards()


def without(field):
    def change(told):
        del told["boards"][0]["rows"][0][field]

    return change


def changed(field, value):
    def change(told):
        told["boards"][0]["rows"][0][field] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("cosine"), "has no 'cosine'"),
        (without("score_slide_low"), "has no 'score_slide_low'"),
        (lambda told: told["boards"][0].pop("chance"), "has no 'chance'"),
        (changed("cosine", "0.5"), "its cosine is '0.5'"),
        (changed("cosine", 10**400), "cosine is 1000"),
        (changed("n_params", 1.5), "n_params is 1.5"),
        (changed("cosine", ["x" * 9_000]), "cosine is ['xxx"),
        (changed("name", None), "its name is None"),
        (changed("published", "false"), "its published is 'false'"),
        (lambda told: told["boards"][0].update(signature=3), "its signature is 3"),
        (lambda told: told["boards"].append(told["boards"][0]), "has 'a' of plism@main|slides:4"),
        (lambda told: told["boards"][0]["rows"].append(told["boards"][0]["rows"][1]), "twice"),
        (changed("cosine", True), "cosine is True"),
        (changed("cosine", float("nan")), "cosine is nan"),
        (changed("cosine_low", float("inf")), "its cosine_low is inf"),
        (lambda told: told.pop("boards"), "has no 'boards'"),
        (lambda told: told.update(boards=3), "not iterable"),
        (lambda told: told.update(schema="plismbench.leaderboard/9"), f"this version reads {LEADERBOARD_FORMAT}"),
        (lambda told: told.pop("schema"), "has no 'schema'"),
    ],
)
def test_another_file_is_refused(tmp_path, change, words):
    told = json.loads(board_text(boards()))
    change(told)
    path = tmp_path / "board.json"
    path.write_text(json.dumps(told))
    with pytest.raises(CorruptFile) as caught:
        read_boards(path)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "--write-baseline" in caught.value.hint


@pytest.mark.parametrize("content", [None, "", "[]", "3", "{", "\xff", "[" * 100_000, "1" * 5_000])
def test_no_file_and_no_json(tmp_path, content):
    path = tmp_path / "board.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(CorruptFile, match="board"):
        read_boards(path)
