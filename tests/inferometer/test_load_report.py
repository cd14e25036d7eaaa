from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from load_reports import PLAN, RUN, ending, report
from load_rows import row

from inferometer.load_key import UNKNOWN, key
from inferometer.load_report import SCHEMA, document, markdown_head, tables
from inferometer.report_tables import Table, markdown
from loadtest.ceilings import Ceilings
from loadtest.conductor import EXIT_INCONCLUSIVE
from loadtest.digest import digest
from loadtest.environment import Finding, When
from loadtest.environment import State as Surrounding
from loadtest.flags import Flag
from loadtest.planner import receipt
from loadtest.worker_report import WorkerReport
from telemetry.outcome import Outcome


def table(title: str, told: dict[str, Any]) -> Table:
    (found,) = [one for one in tables(told) if one.title.startswith(title)]
    return found


def test_the_report_is_enough_to_repeat_the_run() -> None:
    told = report()

    assert (SCHEMA, "r1", "open", 7, PLAN.sha256, 20) == (
        told["schema"],
        told["run_id"],
        told["loop"],
        told["plan"]["seed"],
        told["plan"]["sha256"],
        told["plan"]["arrivals"],
    )
    assert {"rows": 0, "rows_sha256": "ff"} == told["receipt"]


def test_a_fit_client_is_one_line() -> None:
    told = report()

    assert ("fit", ()) == (told["fit"]["state"], table("client", told).rows)
    assert "r1: fit" == markdown_head(told)


def test_of_an_unfit_client_the_broken_check_stands_first_and_no_number_is_hidden() -> None:
    told = report(ending(lag_us=50_000))
    shown = table("client", told)

    assert ("dispatch lag p99", "broken") == shown.rows[0][:2]
    assert markdown_head(told).startswith("r1: unfit, dispatch lag p99")
    assert 5 == len(table("latency", told).rows)


def test_where_nothing_was_sent_there_is_no_proof() -> None:
    told = report(ending(sent=0))

    assert told["fit"] is None
    assert "nothing was sent" in markdown_head(told)
    assert 2 == len(tables(told))


@pytest.mark.parametrize("unknown", ["n/a", "n too small"])
def test_what_is_unknown_is_a_word(unknown: str) -> None:
    assert unknown in "".join(markdown(one) for one in tables(report()))


def test_objectives_are_told_and_an_unfit_run_has_no_verdict() -> None:
    rows = [row(j, outcome=Outcome.OK if j else Outcome.SERVER_ERROR) for j in range(50)]
    told = report(rows=rows, ratio=0.9)
    shown = table("objectives", told)

    assert ("joint", "49 of 50") == shown.rows[0][:2]
    assert ("asked of joint: 0.9: inconclusive",) == shown.notes
    assert (EXIT_INCONCLUSIVE, 0) == (told["verdict"]["code"], told["verdict"]["ended"])
    assert ("no verdict: unfit",) == table("objectives", report(ending(lag_us=50_000), rows=rows, ratio=0.9)).notes


def surrounded(*found: Finding, flags: Sequence[Flag] = ()) -> dict[str, Any]:
    told = report()
    return told | {"environment": msgspec.to_builtins(found), "flags": msgspec.to_builtins(flags)}


def finding(state: Surrounding, name: str) -> Finding:
    return Finding(name=name, when=When.DURING, state=state, found="2 %", allowed="1 %")


def test_what_is_not_ok_about_the_surroundings_is_shown() -> None:
    told = surrounded(
        finding(Surrounding.OK, "sleep"), finding(Surrounding.FLAG, "cache"), finding(Surrounding.UNKNOWN, "gpu"),
        flags=[Flag(name="drift", found="slower", allowed="even")],
    )  # fmt: skip

    rows = table("environment", told).rows
    assert [("cache", "during", "flag"), ("gpu", "during", "unknown"), ("drift", "measured", "flag")] == [
        row[:3] for row in rows
    ]
    assert markdown_head(told).endswith(", flags: drift, cache")


def test_quiet_surroundings_are_no_table() -> None:
    told = surrounded(finding(Surrounding.OK, "sleep"))

    assert [] == [one for one in tables(told) if one.title == "environment"]
    assert "flags" not in markdown_head(told)


def test_a_cost_is_told_where_prices_are_known() -> None:
    priced = msgspec.structs.replace(RUN, ceilings=Ceilings(usd_per_mtok_in=1.0, usd_per_mtok_out=1.0))
    counted = WorkerReport(worker=1, tokens_in=10, tokens_out=10**6)
    uncounted = msgspec.structs.replace(counted, uncounted=1)  # an answer did not tell its tokens
    costs = [
        document(
            run,
            receipt(PLAN),
            msgspec.structs.replace(ending(), whole=whole),
            digest([], (0, 10**9)),
            window_ns=(0, 10**9),
            key=key(run, PLAN, UNKNOWN),
            attained={"verdict": None},
            receipt={},
        )["cost_usd"]
        for run, whole in ((priced, counted), (priced, uncounted), (RUN, counted))
    ]

    assert [1.00001, None, None] == costs


@pytest.mark.parametrize(("energy_j", "expected"), [(295.0, 2.5), (None, None)])
def test_a_token_has_its_energy_where_that_is_known(energy_j: float | None, expected: float | None) -> None:
    rows, window_ns = [row(j) for j in range(20)], (0, 20 * 10**9)  # 6 tokens each, the last 2 behind the end
    told = document(
        RUN,
        receipt(PLAN),
        ending(),
        digest(rows, window_ns),
        window_ns=window_ns,
        key=key(RUN, PLAN, UNKNOWN),
        attained={"goodput_ratio": None, "verdict": None, "joint": None, "by_objective": {}},
        receipt={},
        energy_j=energy_j,
    )

    found = told["energy"]["j_per_token_out"]
    assert expected == (None if found is None else round(found, 3))
    (line,) = [cells[1] for cells in table("counts", told).rows if cells[0] == "J / output token"]
    assert ("n/a" if expected is None else "2.5") == line
