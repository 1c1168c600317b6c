import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from plismbench.errors import CorruptFile
from plismbench.records import from_json, read_record


@dataclass(frozen=True)
class Thing:
    name: str
    sizes: tuple[int, ...]
    seconds: float = 0.0
    whole: bool = True
    peak: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    schema: str = "things/1"

    @property
    def n_sizes(self):
        return len(self.sizes)

    @property
    def sizes_a_second(self):
        return len(self.sizes) / self.seconds

    @property
    def layout(self):
        return self.spec["layout"].upper()


THING = Thing("x", (1, 2), 2.5, False, 3, {"a": "1"}, {"dim": 8, "mean": [0.5]})


def test_it_is_what_was_written():
    assert from_json(Thing, json.loads(json.dumps(asdict(THING)))) == THING
    assert from_json(Thing, {"name": "x", "sizes": [], "seconds": 2, "peak": None}) == Thing("x", (), 2)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["name"], "it is no JSON object"),
        ({"name": "x"}, "sizes"),
        ({"colour": "red"}, "colour"),
        ({"name": None}, "its name is None"),
        ({"sizes": 3}, "its sizes is 3"),
        ({"sizes": "12"}, "its sizes is '12'"),
        ({"sizes": [1, "2"]}, r"its sizes is \[1, '2'\]"),
        ({"sizes": [1.0]}, "its sizes is"),
        ({"sizes": [True]}, "its sizes is"),
        ({"seconds": "x" * 10_000}, "its seconds is 'xxx.{,40}$"),
        ({"seconds": True}, "its seconds is True"),
        ({"seconds": 10**400}, "its seconds is 1000"),
        ({"seconds": float("nan")}, "its seconds is nan"),
        ({"seconds": float("inf")}, "its seconds is inf"),
        ({"whole": 1}, "its whole is 1"),
        ({"peak": "3"}, "its peak is '3'"),
        ({"versions": ["a"]}, r"its versions is \['a'\]"),
        ({"versions": {"a": 1}}, "its versions is {'a': 1}"),
        ({"spec": []}, r"its spec is \[\]"),
    ],
)
def test_a_field_of_another_type_is_named(told, words):
    if told != {"name": "x"} and isinstance(told, dict):
        told = {"name": "x", "sizes": [1]} | told
    with pytest.raises(TypeError, match=words):
        from_json(Thing, told)


def test_what_follows_from_the_fields_may_stand_beside_them():
    told = asdict(THING) | {"sizes": [1, 2], "n_sizes": 2}
    assert from_json(Thing, told) == THING
    with pytest.raises(TypeError, match="it says n_sizes 3, its fields say 2"):
        from_json(Thing, told | {"n_sizes": 3})


def test_a_file_of_this_version_is_read(tmp_path):
    path = tmp_path / "thing.json"
    path.write_text(json.dumps(asdict(THING)))
    assert read_record(path, Thing, "things/1", hint="") == THING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "Cannot read"),
        ("", "Cannot read"),
        ("{", "Cannot read"),
        ("[]", "Cannot read .*it is no JSON object"),
        ("null", "it is no JSON object"),
        ("{}", "missing 2 required"),
        ('{"name": "x", "sizes": [1], "sizes_a_second": 1}', "division by zero"),
        ('{"name": "x", "sizes": [1], "spec": {"layout": 3}, "layout": "x"}', "no attribute"),
        ('{"schema": "things/9", "colour": "red"}', "is things/9; this version reads things/1"),
    ],
)
def test_another_file_is_named_with_what_to_do(tmp_path, text, words):
    path = tmp_path / "thing.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CorruptFile, match=r"thing\.json.*Do that\.") as caught:
        read_record(path, Thing, "things/1", hint="Do that.")
    assert re.search(words, caught.value.message)
