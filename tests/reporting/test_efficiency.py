import json
from dataclasses import replace

from plismbench.embeddings.efficiency import Efficiency
from plismbench.reporting.efficiency import profile_parts
from plismbench.reporting.printing import TableFormat

MINI = Efficiency(
    extractor="h0-mini",
    n_params=85_739_520,
    device="GPU",
    precision="fp16",
    batch_size=128,
    compiled=False,
    n_tiles=1000,
    forward_seconds=0.5,
    peak_memory=1_234_000_000,
)
BIG = replace(MINI, extractor="big", precision="bf16", forward_seconds=4.0)
COMPILED = replace(BIG, compiled=True)
ELSEWHERE = replace(MINI, extractor="other", device="CPU", peak_memory=None)


def test_the_markdown_has_every_number():
    lines = profile_parts([BIG, MINI, ELSEWHERE, COMPILED], TableFormat.MARKDOWN)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["big", "85.7 M", "GPU", "bf16", "128", "250.0", "40.0", "1.23 GB", "8.00"]
    assert cells[3] == ["h0-mini", "85.7 M", "GPU", "fp16", "128", "2,000.0", "5.0", "1.23 GB", "1.00"]
    assert cells[4][-2:] == ["–", "–"]
    assert cells[5] == ["big", "85.7 M", "GPU", "bf16, compiled", "128", "250.0", "40.0", "1.23 GB", "–"]
    (table,) = profile_parts([BIG, MINI, ELSEWHERE], TableFormat.TABLE)
    assert [str(column.header) for column in table.columns] == cells[0]
    assert [str(cell) for cell in table.columns[5].cells] == ["250.0", "2,000.0", "2,000.0"]


def test_programs_get_every_field():
    told = json.loads(profile_parts([BIG, MINI], TableFormat.JSON)[0])
    assert told["schema"] == "plismbench.profile/1"
    assert told["models"][0]["relative_time"] == 8
    assert told["models"][1]["seconds_per_10k"] == 5
    heading, first, *_ = profile_parts([BIG, MINI], TableFormat.CSV)[0].splitlines()
    assert dict(zip(heading.split(","), first.split(","), strict=True))["tiles_per_second"] == "250.0"
