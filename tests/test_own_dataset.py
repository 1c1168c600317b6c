import pytest

from plismbench.dataset import PLISM, Slide
from plismbench.errors import InvalidInput, UnknownName
from plismbench.own_dataset import find_dataset, read_description
from plismbench.workspace import check_record

GOOD = """\
name = "rescans"
title = "Our rescans"
revision = "2"
tiles = 256
n_tiles = 100

[[slide]]
staining = "HE"
scanner = "AT2"
path = "here"

[[slide]]
staining = "HE"
scanner = "P"
path = "there.h5"
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there.h5").touch()

    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


def test_a_description_is_a_data_set_with_paths_beside_it(write, tmp_path):
    dataset = read_description(write(GOOD))
    assert (dataset.name, dataset.title, dataset.revision) == ("rescans", "Our rescans", "2")
    assert (dataset.tiles_per_slide, dataset.n_tiles) == (256, 100)
    assert dataset.slides == dataset.default_slides == (Slide("HE", "AT2"), Slide("HE", "P"))
    assert dataset.path(Slide("HE", "P")) == tmp_path / "there.h5"
    assert find_dataset(str(tmp_path / "own.toml")) == dataset


def test_the_mark_that_notepad_writes_is_left_out(write):
    path = write(GOOD)
    before = read_description(path)
    path.write_text(GOOD, encoding="utf-8-sig")
    assert read_description(path) == before


@pytest.mark.parametrize("paths", [("here", "here"), ("here", "link"), ("there.h5", "here/../there.h5")])
def test_two_slides_of_one_path_are_refused(write, tmp_path, paths):
    (tmp_path / "link").symlink_to("here")
    text = GOOD.replace('"there.h5"', f'"{paths[1]}"').replace('"here"', f'"{paths[0]}"', 1)
    with pytest.raises(InvalidInput, match=r"line 15: slide HE_P has the path of HE_AT2; only a \.parquet file holds"):
        read_description(write(text))


def test_a_parquet_file_holds_several_slides(write, tmp_path):
    (tmp_path / "both.parquet").touch()
    text = GOOD.replace('"here"', '"both.parquet"').replace('"there.h5"', '"both.parquet"')
    assert set(read_description(write(text)).paths) == {tmp_path / "both.parquet"}


def test_no_data_set_is_kept_where_something_else_is(write, tmp_path):
    name = check_record(tmp_path, "toy").relative_to(tmp_path).parts[0]
    with pytest.raises(InvalidInput, match=f"line 1: plismbench keeps something else under '{name}'; choose"):
        read_description(write(GOOD.replace('"rescans"', f'"{name}"')))


def test_what_can_be_left_out_has_a_meaning(write):
    dataset = read_description(write(GOOD.replace('title = "Our rescans"\n', "").replace("n_tiles = 100\n", "")))
    assert (dataset.title, dataset.n_tiles) == ("rescans", 256)


def test_a_name_is_still_a_name():
    assert find_dataset("plism") is PLISM
    with pytest.raises(UnknownName, match=r"Did you mean 'plism'\? Your own is named by its \.toml file"):
        find_dataset("plisn")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tiles = 256\n", "tiles 256\n", "(at line 4, column 7)"),
        ('name = "rescans"', 'name = "plism"', "line 1: plismbench keeps something else under 'plism'; choose another"),
        ('name = "rescans"', 'name = "Demo"', "line 1: plismbench keeps something else under 'Demo'"),
        ('name = "rescans"', 'name = "checks"', "line 1: plismbench keeps something else under 'checks'"),
        ('name = "rescans"', 'name = "../up"', "line 1: a name is letters"),
        ('name = "rescans"', "name = 3", "line 1: 'name' is a text in quotes; got 3"),
        ('revision = "2"', 'revision = "a|b"', "line 3: a revision is letters"),
        ('revision = "2"\n', "", "line 1: 'revision' is missing"),
        ("tiles = 256", "tiles = 99999999999999999999", "line 4: 'tiles' is at least 1 and at most 10,000,000; got 99"),
        ("tiles = 256", f"tiles = {'[' * 3_000}{']' * 3_000}", "own.toml: maximum recursion depth exceeded"),
        ("tiles = 256", 'tiles = "256"', "line 4: 'tiles' is a whole number; got '256'"),
        ("tiles = 256", "tiles = true", "line 4: 'tiles' is a whole number; got True"),
        ("n_tiles = 100", "n_tiles = 257", "line 5: 'n_tiles' is at least 1 and at most 256 ('tiles'); got 257."),
        ("tiles = 256\nn_tiles = 100", "tiles = 0", "line 4: 'tiles' is at least 1 and at most"),
        ("n_tiles = 100", "ntiles = 100", "No key named 'ntiles'. Did you mean 'n_tiles'?"),
        ('scanner = "P"', 'scaner = "P"', "line 14"),
        ('scanner = "P"\n', "", "line 12: 'scanner' is missing"),
        (
            'scanner = "P"',
            'scanner = "a/b"',
            "line 14: A staining or scanner code is letters and digits; got 'a/b'. Did you",
        ),
        ('scanner = "P"', 'scanner = "AT-3"', "got 'AT-3'. Did you mean 'AT3'?"),
        (
            '"HE"\nscanner = "P"',
            '"Färbung"\nscanner = "P"',
            "line 13: A staining or scanner code is letters and digits;",
        ),
        ('"HE"\nscanner = "P"', '"Färbung"\nscanner = "P"', "got 'Färbung'. Did you mean 'Farbung'?"),
        ('"HE"\nscanner = "P"', '"染色"\nscanner = "P"', "got '染色'."),
        ('"HE"\nscanner = "P"', '"he"\nscanner = "P"', "line 13: 'he' is 'HE' before; write it one way"),
        ('scanner = "P"', 'scanner = "at2"', "line 14: 'at2' is 'AT2' before; write it one way"),
        ("[[slide]]", "[[slides]]", "line 7)"),
        ("[[slide]]", "[slide]", "twice (at line 12, column 7). Each slide begins with [[slide]], in double brackets."),
        ('"there.h5"\n', '"there.h5"\n[extra]\na = 1', "line 16)"),
        ('scanner = "P"', 'scanner = "AT2"', "line 13: slide HE_AT2 is there twice"),
        ('"there.h5"', '"gone.h5"', "line 15: there is no"),
        ('"there.h5"', r'"a\u0000b"', "line 15: there is no"),
        ('"there.h5"', '""', "line 15: 'path' is empty; name a folder or a file"),
        ('"there.h5"', f'"{"x" * 5_000}"', "line 15: cannot read this path: File name too long."),
        (GOOD[GOOD.index("[[") :], "slide = []", "line 7: there is no slide"),
        (GOOD[GOOD.index("[[") :], "slide = [1]", "line 7: slides are [[slide]] tables"),
    ],
)
def test_a_mistake_is_named_with_its_line(write, old, new, words):
    assert old in GOOD
    with pytest.raises(InvalidInput) as raised:
        read_description(write(GOOD.replace(old, new)))
    assert words in str(raised.value)
    assert "own.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_of_another_encoding_is_to_be_saved_as_utf_8(write, encoding):
    path = write(GOOD)
    path.write_text(GOOD.replace("Our rescans", "Färbungen"), encoding=encoding)
    with pytest.raises(InvalidInput, match=r"own\.toml: it is no UTF-8 text\. Save it as UTF-8\.$"):
        read_description(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"Cannot read .*own\.toml: No such file or directory\. --dataset takes"):
        find_dataset(str(tmp_path / "own.toml"))
