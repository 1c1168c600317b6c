"""Every extractor by name: built in, from installed plug-ins, or described by its name alone."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from plismbench.errors import BrokenPlugin, DuplicateName, InvalidInput, UnknownName, words_of
from plismbench.extractors import adhoc
from plismbench.extractors.catalog import CATALOG, LEFT_OUT
from plismbench.extractors.checkpoints.file_kinds import folder_hint, readable, refuse_other_kind
from plismbench.extractors.spec import ExtractorSpec, Pooling

GROUP = "plismbench.extractors"
"""Entry points of this group give a spec, a sequence of specs, or a function that returns either."""

_VARIANT = re.compile(r"(.+?)(?:@(\d+))?(?:\+(cls\+mean|cls|mean))?")

_CHECKPOINTS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar"}  # timm's are .pth.tar
_BUILT_IN = "plismbench"


@dataclass(frozen=True)
class Registration:
    """One name in the registry.

    Args:
        name: of the extractor; of the entry point where a plug-in does not load.
        owner: distribution that brings it.
        spec: the model, unless the plug-in does not load.
        problem: why asking for it fails.
    """

    name: str
    owner: str
    spec: ExtractorSpec | None = None
    problem: str | None = None


def registered() -> tuple[Registration, ...]:
    """Everything that is registered, by name; what is broken or stands twice says why."""
    entries = [Registration(spec.name, _BUILT_IN, spec) for spec in CATALOG]
    for point in entry_points(group=GROUP):
        entries += _from_plugin(point)
    owners = defaultdict(list)
    for entry in entries:
        if entry.spec is not None:  # a broken one takes no other's name
            owners[entry.name].append(entry.owner)
    twice = {name: _claimed(several) for name, several in owners.items() if len(several) > 1}
    entries = [replace(entry, problem=entry.problem or twice.get(entry.name)) for entry in entries]
    return tuple(sorted(entries, key=lambda entry: (entry.name, entry.owner)))


def names() -> tuple[str, ...]:
    """Names that `get` answers to, besides the ad-hoc ones."""
    return tuple(entry.name for entry in registered() if entry.problem is None)


def get(name: str, pooling: Pooling | None = None) -> ExtractorSpec:
    """The extractor of that name, pooled otherwise if asked for.

    That is a registered one, as it is, or at another size, pooled otherwise: ``conch@448``,
    ``h0-mini+cls+mean``. Or one that its name describes: ``timm:NAME``, ``timm:NAME@CHECKPOINT``,
    ``hf-hub:ORG/REPO``, ``PATH.toml``, ``PATH.py:FUNCTION``. ``pooling`` takes the place of one in the
    name; that of the registered model gives the registered model.

    Raises:
        UnknownName: if there is none.
        DuplicateName: if two distributions bring it, or a file takes the name of a registered one.
        BrokenPlugin: if its plug-in does not load.
        InvalidInput: if it cannot be pooled so, or is a Python file without a function, a checkpoint alone, a
            folder, a file that is no model, or a path that cannot be read.
        PlismbenchError: as the functions of `plismbench.extractors.adhoc` do.
    """
    if name.endswith(".py"):
        raise InvalidInput(
            f"'{name}' names no function.", hint=f"Write {name}:load, whatever its loader or spec is called."
        )
    described = _ad_hoc(name)
    if described is not None:
        taken = set(names())
        if described.name in taken or _variant(described.name)[0] in taken:
            raise DuplicateName(
                f"{name} calls its model '{described.name}', which is the name of a registered model.",
                hint="Give it another `name` in the file.",
            )
        return described.variant(pooling=pooling)
    if Path(name).suffix in _CHECKPOINTS:
        raise InvalidInput(
            f"'{name}' is a checkpoint; of which architecture, it does not say.",
            hint=f"Write timm:ARCHITECTURE@{name}, or describe it in a .toml file.",
        )
    entries = registered()
    known = {entry.name for entry in entries}
    base, size, its_pooling = (name, None, None) if name in known else _variant(name)
    if base not in known:
        file = readable(name)
        refuse_other_kind(file, f"'{name}'")
        if "/" in name and file.is_dir():
            raise InvalidInput(f"'{name}' is a folder.", hint=folder_hint(file))
    return _registered(entries, base, name).variant(pooling=pooling or its_pooling, image_size=size)


def namesake(name: str) -> ExtractorSpec | None:
    """The registered model of a name, or of one that only letter case tells from it; None if there is none.

    Pooled and at the size that the name says. Whoever chose the name, no file is read for it and nothing downloaded.

    Raises:
        InvalidInput: if the model of that name cannot be pooled, or have the size, that the name says.
    """
    specs = {entry.name.casefold(): entry.spec for entry in registered() if entry.spec and not entry.problem}
    base, size, pooling = (name, None, None) if name.casefold() in specs else _variant(name)
    spec = specs.get(base.casefold())
    return spec.variant(pooling=pooling, image_size=size) if spec else None


def _ad_hoc(name: str) -> ExtractorSpec | None:
    """The spec that a name describes; None for one that is to be looked up."""
    kind, _, rest = name.partition(":")
    if kind == "timm":
        return adhoc.timm_spec(rest)
    if kind == "hf-hub":
        return adhoc.hub_spec(rest)
    _, path, after = _parts(name)
    if not path:
        return None
    return adhoc.python_spec(Path(path), after[1:]) if after else adhoc.toml_spec(Path(path))


def _variant(name: str) -> tuple[str, int | None, Pooling | None]:
    """``("conch", 448, None)`` of ``conch@448``: what is in front of another size and pooling, and these."""
    match = _VARIANT.fullmatch(name)
    if match is None:
        return name, None, None
    base, size, pooling = match.groups()
    return base, int(size) if size else None, Pooling(pooling) if pooling else None


def absolute_choice(asked: str) -> str:
    """A value of ``--model`` that means the same in any folder: the path of a file is made absolute."""
    before, path, after = _parts(asked)
    return f"{before}{readable(path).absolute()}{after}" if path else asked


def name_of(asked: str) -> str:
    """The name of the model that ``--model`` takes as ``asked``: from a file what it says, without loading weights.

    Raises:
        PlismbenchError: if the file cannot be read, or its code does not run.
    """
    before, path, after = _parts(asked)
    if not path or not (file := readable(path)).is_file():
        return asked
    if before:
        return f"{before}{file.stem}"
    if not after:
        return str(adhoc.read_toml(file).get("name", file.stem))
    given = getattr(adhoc.module_of_file(file), after[1:], None)
    return given.name if isinstance(given, ExtractorSpec) else f"{file.stem}{after}"


def described(asked: str) -> ExtractorSpec | None:
    """The spec that a file gives, as `get` has it; None where ``asked`` names none, or a network must be built to tell.

    Raises:
        PlismbenchError: as `get` does.
    """
    _, path, after = _parts(asked)
    if not path or not (file := readable(path)).is_file():
        return None
    if after and not isinstance(getattr(adhoc.module_of_file(file), after[1:], None), ExtractorSpec):
        return None
    return get(asked)


def _parts(asked: str) -> tuple[str, str, str]:
    """A model named by a file in three parts: ``timm:NAME@``, the path, ``:FUNCTION``; all are empty for any other."""
    if asked.startswith("timm:"):
        before, at, path = asked.partition("@")
        return (before + at, path, "") if path else ("", "", "")
    path, colon, attribute = asked.rpartition(":")
    if path.endswith(".py"):
        return "", path, colon + attribute
    return ("", asked, "") if asked.endswith(".toml") else ("", "", "")


def _registered(entries: Sequence[Registration], name: str, asked: str) -> ExtractorSpec:
    every = [entry for entry in entries if entry.name == name]
    found = [entry for entry in every if entry.spec is not None] or every[:1]  # a broken one takes no other's name
    if not found:
        why = f"'{name}' is left out: {LEFT_OUT[name]}. " if name in LEFT_OUT else ""
        if broken := sorted({entry.owner for entry in entries if entry.spec is None}):
            why += f"A plug-in of {' and '.join(broken)} does not load. "
        raise UnknownName("extractor", asked, names(), hint=f"{why}List them with `plismbench models`.")
    if len(found) > 1:
        raise DuplicateName(
            f"Extractor '{name}' is {_claimed([entry.owner for entry in found])}.", hint="Uninstall one of them."
        )
    entry = found[0]
    if entry.spec is None:
        raise BrokenPlugin(
            f"Plug-in '{name}' of {entry.owner} does not load: {entry.problem}.",
            hint=f"Repair or uninstall {entry.owner}.",
        )
    return entry.spec


def _claimed(owners: list[str]) -> str:
    return f"claimed by {' and '.join(sorted(owners))}"


def _from_plugin(point: EntryPoint) -> list[Registration]:
    owner = point.dist.name if point.dist else "an unknown distribution"
    try:
        with redirect_stdout(sys.stderr):
            given = point.load()
            if callable(given):
                given = given()
            specs = list(given) if isinstance(given, Iterable) else [given]
        for spec in specs:
            if not isinstance(spec, ExtractorSpec):
                raise TypeError(f"an entry point gives ExtractorSpecs, not {type(spec).__name__}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is anyone's code, and the others still work
        return [Registration(point.name, owner, problem=words_of(error, kind=True))]
    return [Registration(spec.name, owner, spec) for spec in specs]
