from plismbench.extractors.catalog.language import LANGUAGE

BY_NAME = {spec.name: spec for spec in LANGUAGE}


def test_activations_are_those_of_the_package_that_wrote_the_weights():
    """Those that began as OpenAI's have QuickGELU, those that open_clip made have GELU; no weight tells which."""
    quick = {name for name, spec in BY_NAME.items() if "quickgelu" in str(spec.options["architecture"])}
    assert quick == {"plip", "isight"}
    assert BY_NAME["medsiglip-448"].options["act_layer"] == "gelu_tanh"


def test_a_tower_is_built_for_the_size_that_it_is_shown():
    assert {name: spec.image_size for name, spec in BY_NAME.items() if spec.image_size != 224} == {
        "isight": 336,
        "medsiglip-448": 448,
        "gemma4-e4b-vision": 768,
        "gemma4-26b-vision": 768,
    }
    assert all(spec.options.get("img_size", 768) == spec.image_size for spec in LANGUAGE)
