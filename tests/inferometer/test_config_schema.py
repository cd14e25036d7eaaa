"""The keys: defaults that design.md fixes, bounds at their edges, words for every key."""

import pytest
from pydantic import BaseModel, ValidationError

from inferometer.config_schema import (
    DAYS_MAX,
    HEADER_CHARACTERS_MAX,
    MODELS_MAX,
    PATHS_MAX,
    TEXT_CHARACTERS_MAX,
    Config,
    Retention,
    SloKeys,
    SpoolKeys,
    Target,
    Tee,
)
from inferometer.defaults import DRAIN_S_MAX, SPOOL_BYTES_MAX, SPOOL_BYTES_MIN, WORKERS_MAX
from inferometer.keys import Allowed
from telemetry import schema
from telemetry.spool import SpoolLimits


def test_ports_and_binds_are_those_of_the_design() -> None:
    config = Config()

    assert (config.tee.port, config.serve.port, config.store.port) == (8100, 8200, 8300)
    assert {config.tee.bind, config.serve.bind} == {"127.0.0.1"}
    assert config.tee.drain_s_max == DRAIN_S_MAX
    assert config.spool.bytes_max == SPOOL_BYTES_MAX == SpoolLimits().bytes_max


def silent_keys(section: type[BaseModel]) -> list[str]:
    found: list[str] = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += silent_keys(inner)
        elif not any(isinstance(item, Allowed) for item in field.metadata):
            found.append(name)
    return found


def test_every_key_says_what_is_allowed() -> None:
    assert silent_keys(Config) == []


def test_rows_are_kept_as_the_schema_says_unless_somebody_wants_it_otherwise() -> None:
    days = {table.name: table.kept_days for table in schema.TABLES if table.kept_days is not None}

    assert days == Retention().model_dump()
    assert (0, DAYS_MAX) == (Retention(audit=0).audit, Retention(requests=DAYS_MAX).requests)
    for name, least in (("hints", 1), ("requests", 14), ("r_1s", 3), ("r_1m", 90), ("r_1h", 800)):
        assert least == Retention.model_validate({name: least}).model_dump()[name]
        for wrong in (least - 1 or -1, DAYS_MAX + 1):
            with pytest.raises(ValidationError, match=f"found {wrong}; allowed: days from {least} to 36500, or 0"):
                Retention.model_validate({name: wrong})


def test_bounds_hold_at_the_edge_and_not_beyond() -> None:
    assert Tee(workers=WORKERS_MAX).workers == WORKERS_MAX
    assert len(Target(models=("m",) * MODELS_MAX).models) == MODELS_MAX
    assert len(SloKeys(objectives=("o",) * PATHS_MAX).objectives) == PATHS_MAX
    assert len(Target(region="r" * TEXT_CHARACTERS_MAX).region) == TEXT_CHARACTERS_MAX

    with pytest.raises(ValidationError):
        Tee(workers=WORKERS_MAX + 1)
    with pytest.raises(ValidationError):
        SpoolKeys(bytes_max=SPOOL_BYTES_MIN - 1)
    with pytest.raises(ValidationError):
        SloKeys(objectives=("o",) * (PATHS_MAX + 1))
    with pytest.raises(ValidationError):
        Target(models=("m",) * (MODELS_MAX + 1))
    with pytest.raises(ValidationError):
        Target(region="r" * (TEXT_CHARACTERS_MAX + 1))
    with pytest.raises(ValidationError):
        Target(workflow_header="h" * (HEADER_CHARACTERS_MAX + 1))


@pytest.mark.parametrize("name", ["x flow", "x:flow", "flöw", "x-flow\n"])
def test_a_header_has_a_name_as_http_allows_it(name: str) -> None:
    assert Target(workflow_header="X-Flow_1", class_header="h" * HEADER_CHARACTERS_MAX).workflow_header == "X-Flow_1"
    with pytest.raises(ValidationError):
        Target(workflow_header=name)
