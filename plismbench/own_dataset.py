"""Data sets of one's own: registered slides that a TOML file describes.

name = "rescans"          # what results are kept under
revision = "1"            # change it whenever the pixels change
tiles = 256               # matched tiles on each slide
n_tiles = 256             # how many of them are evaluated; all if left out

[[slide]]
staining = "HE"
scanner = "AT2"
path = "HE_AT2"           # beside this file: a folder of images, an .h5 or a .parquet file
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plismbench.dataset import DATASETS, RegisteredDataset, Slide
from plismbench.errors import InvalidInput, require_known, words_of

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEYS: dict[str, type] = {"name": str, "title": str, "revision": str, "tiles": int, "n_tiles": int, "slide": list}
_SLIDE_KEYS: dict[str, type] = {"staining": str, "scanner": str, "path": str}
_OPTIONAL = {"title", "n_tiles"}
_MOST_TILES = 10**7  # more than any microscope sees
_TAKEN = {"checks"}  # other folders of the root: see `workspace`
_TYPES = {str: "a text in quotes", int: "a whole number", list: "[[slide]] tables"}


@dataclass(frozen=True)
class OwnDataset(RegisteredDataset):
    """A data set of one's own.

    Args:
        paths: where the tiles of each slide are, in the order of the slides.
        file: the description.
    """

    paths: tuple[Path, ...] = ()
    file: Path = Path()

    @property
    def option(self) -> str:
        """What ``--dataset`` takes, in any folder."""
        return str(self.file)

    def path(self, slide: Slide) -> Path:
        """Where the tiles of a slide are."""
        return self.paths[self.slides.index(slide)]


def find_dataset(name: str) -> RegisteredDataset:
    """The data set that ``--dataset`` means: a registered name, or the path of a TOML file.

    Raises:
        UnknownName: if there is none of that name.
        InvalidInput: if the file cannot be read, naming the line.
    """
    if name.endswith(".toml"):
        return read_description(Path(name))
    require_known("data set", [name], DATASETS, hint="Your own is named by its .toml file.")
    return DATASETS[name]


def read_description(path: Path) -> OwnDataset:
    """The data set that a TOML file describes.

    Raises:
        InvalidInput: if the file cannot be read or says something that makes no sense, naming the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad may begin a file with a mark
        table = tomllib.loads(text)
    except OSError as error:
        raise InvalidInput(
            f"Cannot read {path}: {error.strerror}.", hint="--dataset takes the .toml file that describes the slides."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Cannot read {path}: it is no UTF-8 text.", hint="Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        hint = "Each slide begins with [[slide]], in double brackets." if "('slide',)" in str(error) else None
        raise InvalidInput(f"Cannot read {path}: {words_of(error)}.", hint=hint) from error
    lines = _Lines(path, text)
    _require(table, _KEYS, lines, None)
    n_tiles = table.setdefault("n_tiles", table["tiles"])
    for key, most in (("tiles", _MOST_TILES), ("n_tiles", table["tiles"])):
        if not 1 <= table[key] <= most:
            of = " ('tiles')" if key == "n_tiles" else ""
            raise lines.error(key, f"'{key}' is at least 1 and at most {most:,}{of}; got {table[key]:,}.")
    if not table["slide"]:
        raise lines.error("slide", "there is no slide.")
    slides = _slides_of(table["slide"], lines)
    for key in ("name", "revision"):
        if not _WORD.fullmatch(table[key]):
            raise lines.error(key, f"a {key} is letters, digits, '.', '_' and '-'; got '{table[key]}'.")
    if table["name"].casefold() in {*DATASETS, *_TAKEN}:
        raise lines.error("name", f"plismbench keeps something else under '{table['name']}'; choose another name.")
    return OwnDataset(
        name=table["name"],
        title=table.get("title", table["name"]),
        slides=slides,
        default_slides=slides,
        tiles_per_slide=table["tiles"],
        n_tiles=n_tiles,
        revision=table["revision"],
        file=path.absolute(),  # they travel to workers elsewhere
        paths=tuple(path.absolute().parent / entry["path"] for entry in table["slide"]),
    )


def _slides_of(entries: Sequence[Any], lines: "_Lines") -> tuple[Slide, ...]:
    """The slides of the ``[[slide]]`` tables, each with a path of its own."""
    slides: list[Slide] = []
    owners: dict[Path, Slide] = {}
    spelt: dict[tuple[str, str], str] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise lines.error("slide", "slides are [[slide]] tables.")
        _require(entry, _SLIDE_KEYS, lines, number)
        for key in ("staining", "scanner"):
            code = entry[key]
            before = spelt.setdefault((key, code.casefold()), code)
            if before != code:  # one name of a file on macOS and Windows
                raise lines.error(key, f"'{code}' is '{before}' before; write it one way.", number)
        try:
            slides.append(Slide(entry["staining"], entry["scanner"]))
        except InvalidInput as error:
            key = "scanner" if _as_code(entry["staining"]) == entry["staining"] else "staining"
            code = _as_code(entry[key])
            suggestion = f" Did you mean '{code}'?" if code else ""
            raise lines.error(key, error.message + suggestion, number) from error
        if slides.index(slides[-1]) < number:
            raise lines.error("staining", f"slide {slides[-1]} is there twice.", number)
        place = lines.path.parent / entry["path"]
        if not entry["path"].strip():
            raise lines.error("path", "'path' is empty; name a folder or a file.", number)
        try:
            place.stat()  # Path.exists() raises or says no, by the version of Python
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # or one with a null character
            raise lines.error("path", f"there is no {place}.", number) from error
        except OSError as error:  # a name that is too long, a folder that must not be read
            raise lines.error("path", f"cannot read this path: {error.strerror}.", number) from error
        owner = owners.setdefault(place.resolve(), slides[-1])
        if owner != slides[-1] and not (place.is_file() and place.suffix.lower() == ".parquet"):
            words = f"slide {slides[-1]} has the path of {owner}; only a .parquet file holds several slides."
            raise lines.error("path", words, number)
    return tuple(slides)


def _as_code(text: str) -> str:
    """Its letters and digits, without accents: ``AT2`` for ``AT-2``."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if char.isascii() and char.isalnum())


@dataclass(frozen=True)
class _Lines:
    """Finds the line that an error is about; tomllib knows it only while it reads."""

    path: Path
    text: str

    def error(self, key: str, words: str, slide: int | None = None) -> InvalidInput:
        """What is wrong with a key, after where it is."""
        return InvalidInput(f"{self.where(key, slide)}: {words}")

    def where(self, key: str, slide: int | None = None) -> str:
        """``FILE, line N``: of a key, or of the table that lacks it."""
        lines = self.text.splitlines()
        tables = [number for number, line in enumerate(lines) if re.match(r"\s*\[\[\s*slide\s*\]\]", line)]
        begin = tables[slide] if slide is not None and slide < len(tables) else 0
        end = next((number for number in tables if number > begin), len(lines))
        named = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        headed = re.compile(rf"""\s*\[+\s*["']?{re.escape(key)}["']?\s*\]""")
        found = next((number for number in range(begin, end) if named.match(lines[number])), None)
        if found is None:
            found = next((number for number, line in enumerate(lines) if headed.match(line)), begin)
        return f"{self.path}, line {found + 1}"


def _require(table: Mapping[str, Any], keys: Mapping[str, type], lines: _Lines, slide: int | None) -> None:
    """Raises InvalidInput unless all keys are there, no others are, and each has its type."""
    for key in table:
        require_known("key", [key], keys, hint=f"({lines.where(key, slide)})")
    for key, kind in keys.items():
        if key not in table and key not in _OPTIONAL:
            raise lines.error(key, f"'{key}' is missing; it is {_TYPES[kind]}.", slide)
        if key in table and (not isinstance(table[key], kind) or isinstance(table[key], bool)):
            raise lines.error(key, f"'{key}' is {_TYPES[kind]}; got {table[key]!r}.", slide)
