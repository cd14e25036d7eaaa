"""What controllers send for hints, replayed over a socket and read by their own rules (spec/scaling.md 3, 4; A2)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from controllers import (
    Answer,
    ControllerError,
    answer,
    discovered,
    flagger_value,
    hpa_replicas,
    keda_metric,
    keda_value,
    listed,
)
from face_rig import LIVES_S, NAME, NOW_S, Desk, desk
from scaling_rig import T0

from slo.api import application
from slo.api_guard import hosts_of
from slo.scaling.faces.external_metrics import METRICS
from slo.scaling.freshness import Standing
from telemetry.clock import sleep
from telemetry.testing.client import ask, exchange

SENT: dict[str, Any] = json.loads((Path(__file__).parents[1] / "fixtures/http/hint_requests.json").read_text())
SERVICE = "inferometer.monitoring.svc:8200"


@dataclass(slots=True, kw_only=True)
class Shown:
    """A desk that tests put up, and the clock beside it."""

    hints: Desk = field(default_factory=Desk)
    clock_s: float = NOW_S

    @property
    def now_s(self) -> Callable[[], int]:
        return lambda: int(self.clock_s)


class Served:
    """The whole API on a port of its own."""

    def __init__(self) -> None:
        self.shown = Shown()
        app = application(cast("Any", self.shown), hosts_of("127.0.0.1", 8200, [SERVICE]), "0.0.0")
        self._server = uvicorn.Server(uvicorn.Config(cast("Any", app), port=0, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            sleep(0.005)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]

    def put_up(self, standing: Standing) -> None:
        self.shown.hints, self.shown.clock_s = desk(standing)

    def replay(self, who: str) -> Answer:
        """Send a recorded request, byte by byte as it is written, and return what comes back."""
        return self.send(SENT[who]["target"], *SENT[who]["headers"])

    def send(self, target: str, *headers: str) -> Answer:
        lines = (f"GET {target} HTTP/1.1", f"Host: {SERVICE}", *headers, "Connection: close")
        seen = exchange(("127.0.0.1", self.port), ask("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"))
        return answer(b"".join(chunk.data for chunk in seen.chunks))

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def served(running: Served) -> Served:
    running.put_up(Standing.FRESH)
    return running


@pytest.mark.parametrize("who", ["keda", "keda_api_key_query", "keda_bearer", "keda_basic"])
def test_keda_reads_the_number_however_it_says_who_it_is(served: Served, who: str) -> None:
    found = served.replay(who)

    assert (6, True) == keda_metric(keda_value(found, "desired_replicas"))
    assert 1 == keda_value(found, "active")
    assert 14.1 == pytest.approx(keda_value(found, "demand_rps"), abs=0.05)


def test_keda_reads_the_want_before_rounding(served: Served) -> None:
    value, active = keda_metric(keda_value(served.replay("keda_api_key"), "desired_replicas"))

    assert 5.48 == pytest.approx(float(value), abs=0.01)
    assert active


def test_a_field_that_is_not_there_is_an_error_to_keda(served: Served) -> None:
    with pytest.raises(ControllerError, match="valueLocation"):
        keda_value(served.replay("keda"), "replicas")


@pytest.mark.parametrize(
    ("standing", "status", "kind"),
    [
        (Standing.STALE, 503, "/problems/hint-stale"),
        (Standing.UNREACHABLE, 503, "/problems/store-unreachable"),
        (Standing.UNKNOWN, 404, "/problems/not-found"),
    ],
)
def test_without_data_keda_gets_an_error_and_autoscalers_an_empty_list(
    served: Served, standing: Standing, status: int, kind: str
) -> None:
    served.put_up(standing)
    found = served.replay("keda")

    assert (status, kind) == (found.status, json.loads(found.body)["type"])
    assert (status == 503) is ("retry-after" in found.headers)
    with pytest.raises(ControllerError, match=f"api returned {status}"):
        keda_value(found, "desired_replicas")
    for read in (lambda: hpa_replicas(served.replay("hpa"), 4), lambda: flagger_value(served.replay("flagger_query"))):
        with pytest.raises(ControllerError, match=r"^no .*metrics"):
            read()


@pytest.mark.parametrize("standing", [Standing.PARTIAL, Standing.FROZEN])
def test_a_degraded_or_frozen_target_asks_for_no_fewer(served: Served, standing: Standing) -> None:
    served.put_up(standing)
    number = keda_value(served.replay("keda"), "desired_replicas")

    assert number == hpa_replicas(served.replay("hpa"), 4) == (6 if standing is Standing.PARTIAL else 4)


def test_ten_minutes_without_the_store_give_no_number_below_what_there_is(served: Served) -> None:
    of, _ = desk(Standing.FRESH)
    of.is_reached = False
    served.shown.hints = of
    told: list[tuple[float | None, int]] = []
    for at_s in range(0, 600, 15):
        served.shown.clock_s = T0 + at_s
        found = served.replay("keda")
        told.append((keda_value(found, "desired_replicas") if found.status == 200 else None, found.status))
        assert bool(listed(served.replay("hpa"))) is (at_s < LIVES_S)

    assert [(6, 200)] * 4 + [(None, 503)] * 36 == told


def test_the_aggregator_finds_the_service_and_its_metrics(served: Served) -> None:
    assert 200 == served.replay("aggregator_available").status
    assert 406 == served.replay("aggregator_aggregated").status
    assert list(METRICS) == discovered(served.replay("aggregator_legacy"))
    assert "APIGroupList" == json.loads(served.replay("client_groups").body)["kind"]
    assert "APIGroup" == json.loads(served.send("/apis/external.metrics.k8s.io").body)["kind"]
    assert 404 == served.send("/apis/custom.metrics.k8s.io/v1beta1").status


def test_an_autoscaler_takes_the_number_whole(served: Served) -> None:
    found = served.replay("hpa")

    assert (6, 6) == (hpa_replicas(found, 4), hpa_replicas(found, 6))
    assert [] == listed(served.replay("hpa_unknown"))


def test_the_usual_tolerance_swallows_one_of_twelve(served: Served) -> None:
    body = json.dumps(
        {
            "kind": "ExternalMetricValueList",
            "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [{"timestamp": "2026-07-15T10:10:00Z", "value": "12"}],
        }
    )
    twelve = Answer(status=200, headers={"content-type": "application/json"}, body=body.encode())

    assert (11, 12) == (hpa_replicas(twelve, 11), hpa_replicas(twelve, 11, tolerance=0))
    assert served.port


def test_flagger_finds_the_service_online_and_reads_a_metric(served: Served) -> None:
    assert [] == listed(served.replay("flagger_online"))
    assert 14.1 == pytest.approx(flagger_value(served.replay("flagger_query")), abs=0.05)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param(f"/compat/keda/{NAME}?policy=eager", 400, id="no such policy"),
        pytest.param("/compat/keda/nobody", 404, id="no such target"),
        pytest.param("/compat/keda/" + "x" * 1_000, 400, id="a name without an end"),
        pytest.param("/apis/external.metrics.k8s.io/v1beta1/namespaces/a/b?labelSelector=a%20b", 400, id="no selector"),
    ],
)
def test_what_is_wrong_is_a_problem(served: Served, target: str, status: int) -> None:
    found = served.send(target)

    assert (status, "application/problem+json") == (found.status, found.headers["content-type"])


def test_another_host_is_not_served(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.sendall(b"GET /compat/keda/a HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n")

        assert line.recv(64).startswith(b"HTTP/1.1 421")
