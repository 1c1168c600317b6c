"""Which weights a spec means today, where it does not say so itself."""

from dataclasses import replace
from pathlib import Path

from plismbench.errors import InvalidInput, Unavailable, UnknownName
from plismbench.extractors.checkpoints.file_kinds import file_sha256
from plismbench.extractors.checkpoints.locations import ADDRESS, COMMIT, HUB, REMOTE_MODEL, TIMM, TIMM_MODEL, base_of
from plismbench.extractors.checkpoints.weights import file_of_address, hub_place, own_file
from plismbench.extractors.options import check_options
from plismbench.extractors.spec import FILE, ExtractorSpec
from plismbench.extractors.trial import tried_tower
from plismbench.hub import hub_errors


def pinned(spec: ExtractorSpec) -> ExtractorSpec:
    """The same with the commit or the SHA-256 of its weights as revision, so that its fingerprint has it.

    A branch or nothing becomes the commit that the Hub has now, or that is in the cache where the Hub
    cannot be asked. A file is hashed, and so is one at an address, downloaded if need be. A pin stays
    as it is; so does a model that runs code of its repository, which no one but its author may pin.

    Raises:
        AccessDenied, Unavailable: if the weights cannot be had.
        InvalidInput: if they are in no such place, timm does not know their name, or they are at an address and the
            spec says wrongly what network they are for.
        CorruptFile: if they are no weights.
    """
    if spec.loader == REMOTE_MODEL:
        return spec
    if spec.weights.startswith((HUB, TIMM)):
        repo = timm_repository(spec) if spec.weights.startswith(TIMM) else hub_place(spec)[0]
        if repo is None:
            return spec if spec.revision else replace(spec, revision=file_sha256(file_of_address(timm_address(spec))))
        if COMMIT.fullmatch(spec.revision or ""):
            return spec
        return replace(spec, revision=_commit(repo, spec.revision))
    if spec.revision:
        return spec  # what is read is held against it
    if spec.weights.startswith(FILE):
        return replace(spec, revision=file_sha256(own_file(spec)))
    if spec.weights.startswith(ADDRESS):
        if spec.loader == TIMM_MODEL and base_of(spec) is None:  # its hash costs the whole download; a change is small
            check_options(spec)
            tried_tower(spec)
        return replace(spec, revision=file_sha256(file_of_address(spec)))
    return spec


def check_timm_name(name: str) -> None:
    """Refuses what timm does not know, ``ARCHITECTURE`` or ``ARCHITECTURE.TAG``.

    Raises:
        UnknownName: if there is no such architecture, or none trained so.
    """
    import timm

    hint = "timm.list_pretrained() has them all."
    if not timm.is_model(name):
        raise UnknownName("timm architecture", name, timm.list_models(), hint=hint)
    if "." in name and not timm.is_model_pretrained(name):
        raise UnknownName("timm weights", name, timm.list_pretrained(), hint=hint)


def timm_repository(spec: ExtractorSpec) -> str | None:
    """Where on the Hub timm has the weights of ``timm:NAME``; None where it has them at an address.

    Raises:
        UnknownName: if timm does not know the name.
    """
    import timm

    name = spec.weights.removeprefix(TIMM)
    check_timm_name(name)
    repo = timm.get_pretrained_cfg_value(name, "hf_hub_id")
    return str(repo).partition("@")[0] if repo else None


def timm_address(spec: ExtractorSpec) -> ExtractorSpec:
    """The same with the address that timm has for weights of ``timm:NAME`` that are not on the Hub.

    Raises:
        InvalidInput: if it has none.
    """
    import timm

    name = spec.weights.removeprefix(TIMM)
    address = timm.get_pretrained_cfg_value(name, "url")
    if not address:
        raise InvalidInput(f"timm has no pretrained weights for '{name}'.", hint="timm.list_pretrained() has them all.")
    return replace(spec, weights=str(address))


def _commit(repo: str, revision: str | None) -> str:
    from huggingface_hub import HfApi, constants

    try:
        with hub_errors(repo, revision, kind="model"):
            sha = HfApi().model_info(repo, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT).sha
    except Unavailable:
        found = _cached_commit(repo, revision)
        if found is None:
            raise
        return found
    if sha is None:
        raise Unavailable(f"The Hub does not say which commit '{revision or 'main'}' of {repo} is.")
    return sha


def _cached_commit(repo: str, revision: str | None) -> str | None:
    """The commit that a branch was when it was last fetched, or the only one that was ever fetched."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
    branch = folder / "refs" / (revision or "main")
    if branch.is_file():
        return branch.read_text().strip()
    commits = [path.name for path in folder.glob("snapshots/*")] if revision is None else []
    return commits[0] if len(commits) == 1 else None
