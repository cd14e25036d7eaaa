"""Makes cases of traces and of recorded requests."""

from dataclasses import replace
from pathlib import Path

import pytest

from inferometer.errors import ConfigurationError
from inferometer.hints_backtest_traffic import (
    H100_TP4,
    PROFILE_BYTES_MAX,
    REQUESTS_MAX,
    Recorded,
    ReplayError,
    Traced,
    case_of,
    engine_of,
    kept_of,
    kind_of,
    recorded,
    stored,
)
from loadtest.fleet.spec import FleetSpec
from loadtest.plan_spec import TraceFormat
from loadtest.scaling_profile import Limits
from loadtest.trace_formats import TraceRow
from telemetry.queries.question import Question
from telemetry.queries.replayed import REPLAYED_MAX

FLEET = FleetSpec(engine=H100_TP4, replicas=1, limits=Limits(ttft_s=2.0, tpot_s=0.1, target=0.99))
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
SERVEGEN = "".join(f"a,{at * 600},0.5,1,Gamma,1.0,2\nb,{at * 600},0.5,1,,,\n" for at in range(4 * 144 + 2))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(AZURE, TraceFormat.AZURE, id="azure"),
        pytest.param('{"timestamp": 0, "hash_ids": []}', TraceFormat.MOONCAKE, id="mooncake"),
        pytest.param("arrived_at,num_prefill_tokens,num_decode_tokens", TraceFormat.VIDUR, id="vidur"),
        pytest.param("Timestamp,Model,Request tokens,Response tokens", TraceFormat.BURSTGPT, id="burstgpt"),
        pytest.param('{"t_ns": 1}', TraceFormat.STORE, id="our own"),
        pytest.param(SERVEGEN[:40], TraceFormat.SERVEGEN, id="servegen"),
    ],
)
def test_a_trace_is_known_by_its_first_line(text: str, expected: TraceFormat, tmp_path: Path) -> None:
    assert expected is kind_of(written(tmp_path / "trace", text))


def test_what_is_no_trace(tmp_path: Path) -> None:
    assert TraceFormat.SERVEGEN is kind_of(tmp_path), "a folder is one of ServeGen's models"
    with pytest.raises(ConfigurationError, match="--format: found a trace that begins 'hello'"):
        kind_of(written(tmp_path / "trace", "hello\n"))
    with pytest.raises(ConfigurationError, match=r"--trace: .*No such file"):
        kind_of(tmp_path / "none")


def test_rows_become_a_case_with_its_load_test(tmp_path: Path) -> None:
    rows = "".join(f"{at / 4},{800 + at % 5 * 100},{50 + at % 7}\n" for at in range(400))
    path = written(tmp_path / "trace.csv", "arrived_at,num_prefill_tokens,num_decode_tokens\n" + rows)
    case = case_of(Traced(path=path, kind=kind_of(path), seconds=50.0), FLEET, 4, 1)

    assert (200, "trace.csv") == (sum(map(len, case.parts)), case.name)
    assert 3.0 < case.goodput.rps < 9.0
    assert (1_000, None) == (case.mix.tokens_in, case.shape)


def test_rates_become_a_case_with_the_days_before(tmp_path: Path) -> None:
    path = written(tmp_path / "trace.csv", SERVEGEN)
    case = case_of(Traced(path=path, kind=kind_of(path), start_s=4 * 86_400.0, scale=2.0), FLEET, 4, 1)

    assert 4 * 86_400.0 == case.fleet.start_unix_s
    assert case.shape is not None
    assert 2.0 == pytest.approx(case.shape.slots[0])
    assert 1_200 * 2.0 == pytest.approx(sum(map(len, case.parts)), rel=0.2)
    many = REQUESTS_MAX / 1_200
    with pytest.raises(ConfigurationError, match=r"--trace: found 2\.02e\+07 requests, allowed 1 to 2e\+07"):
        case_of(Traced(path=path, kind=TraceFormat.SERVEGEN, start_s=4 * 86_400.0, scale=1.01 * many), FLEET, 4, 1)
    with pytest.raises(ConfigurationError, match="--trace: found 0 requests, allowed"):
        case_of(Traced(path=path, kind=TraceFormat.SERVEGEN, start_s=9e6, seconds=600.0), FLEET, 4, 1)


def test_recorded_requests_become_a_case() -> None:
    rows = [TraceRow(t_ns=10**18 + at * 10**9, len_in=500, len_out=None) for at in range(50)]
    case = recorded(Recorded(name="chat", rows=rows), FLEET, 4, 1)

    assert (1e9, 0.0, "chat") == (case.fleet.start_unix_s, case.parts[0][0][0], case.name)
    assert case.parts[0][0][2] > 0, "a length that is unknown is drawn"


def test_what_is_stored_is_asked_for_up_to_a_bound() -> None:
    row: dict[str, object] = {
        "t_unix_us": 1, "workload_class": "", "tokens_in": 1, "tokens_out": 1, "left_after_us": None,
        "conversation": None,
    }  # fmt: skip
    asked = list[Question]()

    def ask(question: Question) -> list[dict[str, object]]:
        asked.append(question)
        return [row, row]

    assert 2 == len(stored(ask, "chat", "m", (0, 1), 2).rows)
    assert (3, ["chat"], ["m", ""]) == tuple(
        asked[0].parameters[name] for name in ("limit", "where_endpoint", "where_model")
    )
    with pytest.raises(ReplayError, match="--recorded: found more than 1 requests of 'chat' in that time"):
        stored(ask, "chat", "", (0, 1), 1)
    with pytest.raises(ReplayError, match="--recorded: found no request of 'chat'"):
        stored(lambda _: [], "chat", "", (0, 1))
    stored(ask, "chat", "", (0, 1))
    assert REPLAYED_MAX == asked[-1].parameters["limit"]


def test_an_objective_that_no_rate_keeps() -> None:
    rows = [TraceRow(t_ns=at * 10**9, len_in=300, len_out=1) for at in range(20)]
    strict = replace(FLEET, limits=Limits(ttft_s=0.001, tpot_s=0.1, target=0.99))

    with pytest.raises(ReplayError, match=r"found no rate at which a replica keeps 99\.0% within 0\.001 s and 0\.1 s"):
        recorded(Recorded(name="chat", rows=rows), strict, 4, 1)


def test_an_objective_in_words() -> None:
    assert "99.0% within 2.0 s and 0.1 s a token" == kept_of(FLEET.limits)
    assert "99.0% within 0.1 s a token" == kept_of(Limits(ttft_s=None, tpot_s=0.1, target=0.99))
    assert "99.0% within any time" == kept_of(Limits(ttft_s=None, tpot_s=None, target=0.99))


PROFILE = """{"baseline_id": "b", "run_ids": [], "defs_version": 1, "made_at": "", "valid_until": "",
"gpus_per_replica": 1, "slo": {"ttft_s": 2.0, "tpot_s": 0.1, "target": 0.99},
"mix": {"mix_id": "m", "in_mean": 1, "out_mean": 1, "prefix_hit_ratio": null}, "goodput_rps": 2.0, "accepted_rps": 2.0,
"rejected_rps": null, "knee_rps": null, "tokens_out_per_s": null, "curve": [],
"thresholds": {"tau_q_s": null, "queue_star": null, "kv_at_mu_star": null, "gpu_util_at_mu_star": null},
"fit": "ok", "repeats": 1, "cv": null %s}"""


def test_a_profile_says_how_fast_the_engine_is(tmp_path: Path) -> None:
    speeds = ', "prefill_tokens_per_s": 5000, "step_alpha_us": 20000, "step_beta_us": 100, "kv_capacity_tokens": 1600'
    engine = engine_of(written(tmp_path / "profile.json", PROFILE % speeds))

    assert (0.02, 0.0001, 100) == (engine.alpha_s, engine.beta_s, engine.kv_blocks)
    assert 5_000 == pytest.approx(engine.prefill_tokens_per_s)
    assert H100_TP4 == engine_of(None)


def test_a_profile_without_speeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--profile: .*no step model"):
        engine_of(written(tmp_path / "profile.json", PROFILE % ""))
    with pytest.raises(ConfigurationError, match=r"--profile: .*allowed: a scaling profile"):
        engine_of(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match=r"--profile: .*allowed: a scaling profile"):
        engine_of(written(tmp_path / "long.json", " " * (PROFILE_BYTES_MAX + 1)))
