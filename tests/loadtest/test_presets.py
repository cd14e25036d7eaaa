"""Published objectives and throughputs: what stands in spec/loadtest.md 16."""

from loadtest.presets import KNOWN, PRESET_DURATION_S, PRESET_P_PPM, PRESETS


def test_limits_of_each_model() -> None:
    plain = {name: (one.ttft_s, one.tpot_s) for name, one in PRESETS.items() if not name.endswith("-interactive")}

    assert plain == {
        "llama2-70b": (2.0, 0.2),
        "llama3.1-8b": (2.0, 0.1),
        "llama3.1-405b": (6.0, 0.175),
        "mixtral-8x7b": (2.0, 0.2),
        "deepseek-r1": (2.0, 0.08),
        "gpt-oss-120b": (3.0, 0.08),
    }
    assert (990_000, 600) == (PRESET_P_PPM, PRESET_DURATION_S)


def test_interactive_limits_are_tighter() -> None:
    for name, one in PRESETS.items():
        if name.endswith("-interactive"):
            plain = PRESETS[name.removesuffix("-interactive")]

            assert one.ttft_s < plain.ttft_s
            assert one.tpot_s < plain.tpot_s


def test_every_number_says_who_said_it() -> None:
    assert 18 == len(KNOWN)
    assert all(one.source and one.gpus and one.tokens_per_s > 0 for one in KNOWN)
    assert len(KNOWN) == len({(one.system, one.setting, one.tokens_in, one.tokens_out) for one in KNOWN})
