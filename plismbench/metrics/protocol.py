"""Names for sets of definitions; the numbers of a released protocol never change."""

PROTOCOL = "plism-1"
"""The definitions of docs/metrics.md, exact."""

OWKIN = "owkin-fp16"
"""The same formulas rounded as plism-benchmark rounds them, to compare with what it published."""

PROTOCOLS = (PROTOCOL, OWKIN)
