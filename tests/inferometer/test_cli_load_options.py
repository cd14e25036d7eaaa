"""The verbs that send load have their common options in common."""

from collections.abc import Callable
from inspect import signature

import pytest

from inferometer import cli_load_options as options
from inferometer.cli_load import run
from inferometer.cli_load_replay import replay
from inferometer.cli_load_sweep import sweep

COMMON = {
    "target": options.TargetArgument,
    "model": options.ModelOption,
    "api": options.ApiOption,
    "workers": options.WorkersOption,
    "key_file": options.KeyFileOption,
    "slo": options.PresetOption,
    "ttft_max": options.TtftOption,
    "tpot_max": options.TpotOption,
    "goodput": options.GoodputOption,
    "engine": options.EngineOption,
}


@pytest.mark.parametrize("verb", [run, sweep, replay])
def test_an_option_reads_alike_wherever_it_is(verb: Callable[..., int]) -> None:
    found = signature(verb).parameters

    assert {name: found[name].annotation for name in COMMON} == COMMON
