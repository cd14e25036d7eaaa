"""An hour that a real engine lived through, over a real store, and a backtest of the same hour (slo.md A18)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_rig import Rig

from inferometer.reading import Source
from inferometer.slo_history import History
from slo.alert import Alert
from slo.alert_states import Transition
from slo.backtest import backtest
from telemetry.clock import wall_ms
from telemetry.histogram import index
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
NOW_S = wall_ms() // 1000 // 30 * 30 - 7_200
SLOW = index(20_000_000)

Moves = list[tuple[str, str, Transition]]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("slo") / "data") as running:
        yield running


def moves(found: list[tuple[Alert, Transition]]) -> Moves:
    told = ((alert.labels["alertname"], alert.labels["severity"], transition) for alert, transition in found)
    return sorted(told, key=lambda move: (move[2].at_s, move[:2]))


def test_the_engine_and_the_backtest_agree_on_every_transition(process: StoreProcess, tmp_path: Path) -> None:
    writer, reader = process.store("writer"), process.store("reader")
    one = Rig(reader, writer, tmp_path / "slo.sqlite", "backtest", NOW_S, expression="ok and ttft_s <= 10")
    one.live(40, 0, steps=6)
    one.live(10, 30, steps=4)
    one.live(40, 0, steps=22)
    one.requests(0, 300, at_s=one.now_s - 150)  # what comes late
    one.live(40, 0, steps=16)
    for _ in range(4):  # nothing ends any more, and forty wait
        one.now_s += 30
        one.beat({SLOW: 40})
        one.engine.step(one.now_s, one.now_s)
    one.live(40, 0, steps=12)
    lived = moves(list(one.engine.view.transitions))
    assert one.engine.view.at_s is not None
    where = Source(store=reader, url=process.url, observing_since_ms=None, metrics_url=None, tee_port=None)
    first_s, end_s = NOW_S, one.engine.view.at_s + 30
    pasts = [past for each in one.watched for past in History(where, first_s, end_s).pasts(each)]
    tested = moves(list(backtest(pasts, first_s, end_s).transitions))
    print(f"{len(lived)} transitions in {(end_s - first_s) // 60} minutes")

    assert len(lived) > 5
    assert tested == lived
    writer.close()
    reader.close()
