from plismbench.extractors.catalog.pathology import TIMM_HUB
from plismbench.extractors.spec import Pooling

BY_NAME = {spec.name: spec for spec in TIMM_HUB}


def test_pooling_is_that_of_the_published_results():
    assert BY_NAME["h0-mini"].pooling is BY_NAME["uni2-h"].pooling is Pooling.CLS
    assert BY_NAME["virchow"].pooling is BY_NAME["virchow2"].pooling is Pooling.CLS_MEAN


def test_gigapath_cuts_out_the_centre():
    assert {name for name, spec in BY_NAME.items() if spec.resize} == {"prov-gigapath", "gigapath-flash"}
    assert (BY_NAME["prov-gigapath"].resize, BY_NAME["prov-gigapath"].image_size) == (256, 224)


def test_a_revision_is_a_commit():
    unpinned = {name for name, spec in BY_NAME.items() if spec.revision is None}
    assert unpinned == {"digepath", "sp85m", "prost40m"}  # none is known
    assert all(len(spec.revision) == 40 for name, spec in BY_NAME.items() if name not in unpinned)
