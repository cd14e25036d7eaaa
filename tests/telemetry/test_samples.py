"""Tests of telemetry.samples."""

import pytest

from telemetry.samples import SAMPLES, Sample


@pytest.mark.parametrize("shape", SAMPLES, ids=lambda shape: shape.__name__)
def test_a_sample_is_the_row_of_its_table(shape: type[Sample]) -> None:
    columns = tuple(column.name for column in SAMPLES[shape].table.insert_columns)

    assert shape.__struct_fields__ == columns
