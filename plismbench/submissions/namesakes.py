"""Whether a model is the registered one whose name it has."""

from dataclasses import replace

from plismbench.errors import PlismbenchError, RejectedSubmission
from plismbench.extractors.registry import namesake
from plismbench.extractors.spec import FOR_PEOPLE, ExtractorSpec


def check_name(spec: ExtractorSpec) -> None:
    """Refuses another model under the name of a registered one, or one that only letter case tells from it.

    Weights that the registered one does not pin may be of any revision.

    Raises:
        RejectedSubmission: with what is wrong, and not with what would make it pass.
    """
    try:
        known = namesake(spec.name)
    except PlismbenchError as error:
        raise RejectedSubmission(error.message) from error
    if known is None:
        return
    if known.name != spec.name:
        raise RejectedSubmission(
            f"Its name '{spec.name}' is too like '{known.name}', a registered model: call it otherwise."
        )
    if replace(known, revision=known.revision or spec.revision).fingerprint() != spec.fingerprint():
        raise RejectedSubmission(
            f"It is called '{spec.name}' and was not made by the registered model of that name as it is here:"
            " call it otherwise, or extract it again with this version."
        )


def with_known_facts(spec: ExtractorSpec) -> ExtractorSpec:
    """The same; of a registered one what people are told, such as title and licence, is as it is told here."""
    known = namesake(spec.name)
    return spec if known is None else replace(spec, **{name: getattr(known, name) for name in FOR_PEOPLE})
