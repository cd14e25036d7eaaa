"""How questions become columns."""

from dashboards.asks import GROUPS, SHOWN_PPM, counted, heat_of, of_group, percentile_columns, percentiles_of, stepped
from telemetry.outcome import Outcome
from telemetry.panel import Role, Unit
from telemetry.queries.asked import Asked, Metric, Pick, Source
from telemetry.queries.question import Question

ASKED = Asked(since_ms=0, until_ms=60_000, step_s=10)
PICK = Pick(source=Source.R_1S, exact=False, since_ms=0, until_ms=60_000)


def test_a_percentile_has_its_bounds_behind_it() -> None:
    found = percentile_columns(Unit.SECONDS, prefix="ok_", ok_only=True, only=("p95",))

    assert ["ok_p95", "ok_p95_low", "ok_p95_high"] == [one.name for one in found]
    assert (SHOWN_PPM["p95"], "ok_n", "ok_max") == (found[0].ppm, found[0].of, found[0].largest)
    assert [Role.VALUE, Role.LOW, Role.HIGH] == [one.role for one in found]
    assert all(one.is_ok_only for one in found)


def test_the_percentiles_of_a_second_population_have_its_name() -> None:
    sql = percentiles_of(Metric.TTFT, "all", "ok")(ASKED, PICK).sql

    assert "all_s[3] AS p95" in sql
    assert "ok_low_s[3] AS ok_p95_low" in sql


def test_heat_has_cells() -> None:
    assert "low_s AS low" in heat_of(Metric.E2E)(ASKED, PICK).sql


def test_no_outcome_stands_in_two_groups_and_none_of_them_is_good() -> None:
    listed = [one for group in GROUPS.values() for one in group]

    assert len(set(listed)) == len(listed)
    assert not {Outcome.OK, Outcome.INVALID_REQUEST, Outcome.UNOBSERVED, Outcome.CLIENT_LIMIT} & set(listed)


def test_a_group_is_counted_in_raw_rows_and_in_roll_ups() -> None:
    assert "countIf(s.outcome IN ('engine_dead', 'oom', 'server_error'))" == of_group("fault", Source.RAW)
    assert "sumMap(s.outcomes)['client_cancelled']" == of_group("gave_up", Source.R_1S)


def test_rates_are_over_a_step_or_over_the_whole() -> None:
    ask = counted(lambda _source: ["sum(s.n) / {seconds:Float64} AS rate"])
    whole = Asked(since_ms=0, until_ms=60_000)

    assert 10.0 == ask(ASKED, PICK).parameters["seconds"]
    assert 60.0 == ask(whole, PICK).parameters["seconds"]
    assert "t_unix_s" not in ask(whole, PICK).sql


def test_steps_are_named_t() -> None:
    assert stepped(Question(sql="SELECT 1 AS t_unix_s")).sql.startswith("SELECT\n    t_unix_s AS t,")
