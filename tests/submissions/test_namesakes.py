import dataclasses

import pytest

from plismbench.errors import RejectedSubmission
from plismbench.extractors import registry
from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.spec import Pooling
from plismbench.submissions.namesakes import check_name, with_known_facts

MINI = registry.get("h0-mini")


@pytest.mark.parametrize("spec", [*CATALOG, MINI.variant(pooling=Pooling.CLS_MEAN), MINI.variant(image_size=448)])
def test_registered_models_pass_as_they_are_and_at_the_revision_that_was_found_for_them(spec):
    check_name(spec)
    if not spec.revision:
        check_name(dataclasses.replace(spec, revision="a" * 40))


@pytest.mark.parametrize(
    "spec",
    [
        dataclasses.replace(MINI, loader="a:b"),
        dataclasses.replace(MINI, revision="a" * 40),
        dataclasses.replace(MINI.variant(pooling=Pooling.CLS_MEAN), dim=9),
        dataclasses.replace(MINI, name="h0-mini@448"),
    ],
)
def test_another_model_is_not_the_registered_one(spec):
    with pytest.raises(RejectedSubmission, match="was not made by the registered model of that name") as raised:
        check_name(spec)
    assert MINI.fingerprint() not in str(raised.value)


@pytest.mark.parametrize("name", ["H0-mini", "h0-mini@224", "H0-Mini+cls+mean"])
def test_a_name_is_not_almost_that_of_a_registered_one(name):
    with pytest.raises(RejectedSubmission, match=f"Its name '{name}' is too like 'h0-mini".replace("+", r"\+")):
        check_name(dataclasses.replace(MINI, name=name))


def test_a_registered_model_is_not_pooled_as_it_cannot_be():
    with pytest.raises(RejectedSubmission, match="'small-pixels' has pooling output; cls is not possible"):
        check_name(dataclasses.replace(registry.get("small-pixels"), name="small-pixels+cls"))


@pytest.mark.parametrize("name", ["mine", "mine@448", "timm:resnet18", "./mine.toml", "hf-hub:a/b@main", "x.py:load"])
def test_any_other_name_is_free_and_nothing_is_looked_up_for_it(name):
    check_name(dataclasses.replace(MINI, name=name.removeprefix("./")))


def test_facts_of_a_registered_model_are_its_own():
    forged = dataclasses.replace(
        MINI, title="Best", organisation="Me", license="MIT", n_params=5, trained_on_plism=True, source="x"
    )
    assert with_known_facts(forged) == MINI
    other = dataclasses.replace(forged, name="mine")
    assert with_known_facts(other) == other
