"""Every extractor by name: built in, from installed plug-ins, or described by its name alone."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from plismbench.errors import BrokenPlugin, DuplicateName, UnknownName
from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.spec import ExtractorSpec

GROUP = "plismbench.extractors"
"""Entry points of this group give a spec, a sequence of specs, or a function that returns either."""

AD_HOC_TIMM = "timm:"
"""``timm:NAME`` is any pretrained architecture of timm."""

_BUILT_IN = "plismbench"


@dataclass(frozen=True, order=True)
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
        owners[entry.name].append(entry.owner)
    return tuple(
        sorted(
            (
                entry
                if len(owners[entry.name]) == 1
                else Registration(entry.name, entry.owner, entry.spec, _claimed(owners[entry.name]))
                for entry in entries
            ),
            key=lambda entry: (entry.name, entry.owner),
        )
    )


def names() -> tuple[str, ...]:
    """Names that `get` answers to, besides the ad-hoc ones."""
    return tuple(entry.name for entry in registered() if entry.problem is None)


def get(name: str) -> ExtractorSpec:
    """The extractor of that name, or of ``timm:NAME``.

    Raises:
        UnknownName: if there is none.
        DuplicateName: if two distributions bring it.
        BrokenPlugin: if its plug-in does not load.
    """
    if name.startswith(AD_HOC_TIMM):
        from plismbench.extractors.loaders import timm_spec

        return timm_spec(name.removeprefix(AD_HOC_TIMM))
    found = [entry for entry in registered() if entry.name == name]
    if not found:
        raise UnknownName("extractor", name, names(), hint="List them with `plismbench models`.")
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
        given = point.load()
        if callable(given):
            given = given()
        specs = [given] if isinstance(given, ExtractorSpec) else list(_specs(given))
    except Exception as error:  # noqa: BLE001 - whatever a plug-in does, the others still work
        return [Registration(point.name, owner, problem=_one_line(error))]
    return [Registration(spec.name, owner, spec) for spec in specs]


def _specs(given: object) -> Iterable[ExtractorSpec]:
    for spec in given if isinstance(given, Iterable) else [given]:
        if not isinstance(spec, ExtractorSpec):
            raise TypeError(f"an entry point gives ExtractorSpecs, not {type(spec).__name__}")
        yield spec


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
