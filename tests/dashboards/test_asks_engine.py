"""Samples of engines and GPUs: means, sums over replicas, rates of counters. The hour is `panel_past`."""

from panel_answers import known, rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_engine import engine_rates, engine_steps, gpu_steps, parameters
from telemetry.queries.asked import Asked
from telemetry.queries.question import Question


def test_minutes_and_samples_say_the_same(past: PanelRig) -> None:
    for step, table in ((60, "r_engine_1m"), (30, "engine_metrics")):
        found = rows(past, "ep.queue", FULL, step=step)
        table_read = past.ask("ep.queue", **{"from": "now-1h", "step": step, "endpoint": [FULL]}).provenance.table

        assert table == table_read
        assert ({3.0}, {1.0}, {7.0}) == tuple(known(found, name) for name in ("capacity", "deferred", "running"))
        assert {0.1} == {round(one, 6) for one in known(found, "refused_per_s")}


def test_a_counter_that_fell_gives_no_rate(past: PanelRig) -> None:
    at = END_MS / 1000 - 3_500
    scrapes = [
        {"ts": at + 10 * n, "endpoint": "reset", "replica": "a", "engine": "vllm", "up": 1, "preemptions_total": total}
        for n, total in enumerate((50, 70, 10, 20))
    ]
    past.stored.insert_rows("engine_metrics", scrapes)
    rates = {row["t"]: row["preemptions_per_s"] for row in rows(past, "ep.kv", "reset", step=10)}

    assert [None, 2.0, None, 1.0] == [rates[at + 10 * n] for n in range(4)]


def test_reasons_that_are_no_trouble_throttle_nothing(past: PanelRig) -> None:
    found = rows(past, "fleet.gpu", FULL)

    assert [0, 1] == [found[5]["throttled"], found[-5]["throttled"]]
    assert {1.0} == known(found, "utilisation")
    assert {0.8} == {round(one, 6) for one in known(found, "sm_activity")}


def test_without_a_step_all_of_the_time_is_one() -> None:
    asked = Asked(since_ms=0, until_ms=60_000)

    assert "toUInt32(0) AS t_unix_s" in engine_steps(asked).text()
    assert "toUInt32(0) AS t_unix_s" in gpu_steps(asked).text()
    assert "step_s" not in parameters(asked)


def test_growth_is_of_one_replica(past: PanelRig) -> None:
    asked = Asked(since_ms=END_MS - 600_000, until_ms=END_MS, step_s=60)
    found = past.reader.query(Question(sql=engine_rates(asked).text(), parameters=parameters(asked)))

    assert {60} == {row["seconds"] for row in found if row["seconds"] is not None}
