"""How hints of a running service are printed, and how it is told of acts."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from inferometer import hints_show
from inferometer.config import check
from inferometer.errors import ConfigurationError, UnreachableError

HINT = {
    "id": "h1", "seq": 12, "mode": "advisory", "action": "scale_up", "issued_at": "t", "expires_at": "u",
    "target": {"name": "chat"}, "replicas": {"spec": 4, "ready": 3, "desired": 6, "warming": 1},
    "reasons": [{"code": "CAPACITY_NOW", "binding": True, "text": "14 rps"}, {"code": "X", "binding": False}],
    "vetoes": [{"code": "GPU_BAND"}], "confidence": {"score": 0.991, "level": "high"},
    "forecast": {"lead_s": 540.04, "lead_basis": "p90 of last 5 cold starts"},
}  # fmt: skip
SCORE = {"applied": 6, "demand_actual": 13.5, "p95_held": True, "gpu_h_delta": -0.5}
PROPOSAL = {
    "text": "weekdays, +40%", "cron": "40 13 * * 1-5", "duration_s": 8_400, "expected_rps": 14.0, "rise_ratio": 0.4,
    "held": 10, "days": 10, "yaml": "- {name: peak}",
}  # fmt: skip
GOOD: dict[str, Any] = {
    "/v1/hints": {"hints": [HINT]},
    "/v1/hints/a%2Fb": HINT,
    "/v1/hints/chat/history?from=2026-07-15T00%3A00%3A00Z": {
        "hints": [{"hint": HINT, "score": SCORE}, {"hint": HINT, "score": None}]
    },
    "/v1/hints/chat/ack": {"kind": "ack"},
    "/v1/hints/chat/proposals": {"days": 15, "days_needed": 14, "proposals": [PROPOSAL]},
    "/v1/hints/new/proposals": {"days": 3, "days_needed": 14, "proposals": []},
    "/v1/hints/chat/freeze?who=ann&reason=done": {"kind": "unfreeze"},
}
CONFIG = check({})


@contextmanager
def serving() -> Generator[tuple[str, list[tuple[str, str, bytes]]]]:
    heard: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            heard.append((self.command, self.path, body))
            found = GOOD.get(self.path)
            status, said = (404, {"detail": "there is no target"}) if found is None else (200, found)
            if self.path == "/v1/hints/silent":
                status, said = 503, {"detail": "the store is gone"}
            answer = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_DELETE = do_GET  # noqa: N815 -- names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_hints_are_rows_and_json_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, _):
        assert 0 == hints_show.run(CONFIG, None, url, "csv")
        rows = capsys.readouterr().out.splitlines()
        assert 0 == hints_show.run(CONFIG, "a/b", url, "json")
        whole = json.loads(capsys.readouterr().out)
        hints_show.run(CONFIG, None, url, "table")
        table = capsys.readouterr().out
        hints_show.run(CONFIG, "a/b", url, "table")
        one = capsys.readouterr().out

    assert rows[0] == ",".join(hints_show.NAMES)
    assert rows[1].startswith("chat,scale_up,4,3,6,1,0.99,14 rps,12,high,advisory,")
    assert rows[1].endswith(",h1,540.0,p90 of last 5 cold starts,"), "nothing is known of its phases"
    assert whole == HINT
    assert "14 rps" in table
    assert "a replica takes 540 s" in one


def test_the_past_comes_with_its_scores(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, _):
        assert 0 == hints_show.history(CONFIG, "chat", "2026-07-15T00:00:00Z", url, "json")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())

    assert (13.5, True, -0.5, 6) == tuple(
        first[name] for name in ("demand_actual", "p95_held", "gpu_h_delta", "applied")
    )
    assert (12, None) == (second["seq"], second["p95_held"])


def test_proposals_are_yaml_to_copy_or_rows(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, _):
        assert 0 == hints_show.proposals(CONFIG, "chat", url, "table")
        copied = capsys.readouterr().out
        hints_show.proposals(CONFIG, "new", url, "table")
        none = capsys.readouterr().out
        hints_show.proposals(CONFIG, "chat", url, "json")
        row = json.loads(capsys.readouterr().out)

    assert {"schedules": [{"name": "peak"}]} == yaml.safe_load(copied)
    assert "# weekdays, +40%" in copied
    assert yaml.safe_load(none) is None
    assert "3 days were seen, 14 are needed" in none
    assert ("40 13 * * 1-5", 10) == (row["cron"], row["held"])


def test_acts_are_told_and_what_is_kept_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as (url, heard):
        assert 0 == hints_show.tell(CONFIG, "chat", "ack", {"hint_id": "h1"}, url)
        assert 0 == hints_show.thaw(CONFIG, "chat", "ann", "done", url)

    assert [("POST", b'{"hint_id": "h1"}'), ("DELETE", b"")] == [(one[0], one[2]) for one in heard]
    assert ['{"kind": "ack"}', '{"kind": "unfreeze"}'] == capsys.readouterr().out.splitlines()


def run_json(target: str | None, url: str) -> int:
    return hints_show.run(CONFIG, target, url, "json")


def ack(target: str | None, url: str) -> int:
    return hints_show.tell(CONFIG, str(target), "ack", {}, url)


@pytest.mark.parametrize(
    ("ask", "target", "nobody", "kind", "said"),
    [
        pytest.param(run_json, "no", False, ConfigurationError, "no target", id="unknown"),
        pytest.param(ack, "no", False, ConfigurationError, "no target", id="an act"),
        pytest.param(run_json, "silent", False, UnreachableError, "store is gone", id="silent"),
        pytest.param(run_json, None, True, UnreachableError, "not answer", id="nobody"),
        pytest.param(ack, "chat", True, UnreachableError, "not answer", id="nobody is told"),
    ],
)
def test_what_fails_is_one_line(
    ask: Callable[[str | None, str], int], target: str | None, nobody: bool, kind: type[Exception], said: str
) -> None:
    with serving() as (url, _), pytest.raises(kind, match=said):
        ask(target, "http://127.0.0.1:1" if nobody else url)


def test_cold_starts_are_told_by_phase_and_when_they_became_slower() -> None:
    took = {"image": {"p50_s": 80.4, "p90_s": 120, "n": 3}, "ready": {"p50_s": 300, "p90_s": 540, "n": 20}}
    cold: dict[str, Any] = {"phases": took, "regression": None}
    slower = {**cold, "regression": {"text": "image grew most"}}
    found = [hints_show.row({**HINT, "cold_start": of})["cold_start"] for of in (None, cold, slower)]

    assert found[:2] == ["", "image 80/120 s of 3, ready 300/540 s of 20"]
    assert found[2] == f"{found[1]}; image grew most"
    assert ["a replica takes 540 s: p90 of last 5 cold starts"] == hints_show.lead(HINT)
    assert f"P50/P90: {found[1]}" == hints_show.lead({**HINT, "cold_start": cold})[1]


def test_a_hint_is_one_line_for_people() -> None:
    assert "hint chat: scale_up, 4 -> 6 replicas; 14 rps" == hints_show.line(HINT)


def test_without_a_reason_that_binds_the_vetoes_say_why() -> None:
    assert "GPU_BAND" == hints_show.why({**HINT, "reasons": []})


def test_a_hint_that_nothing_speaks_for_or_against_ends_with_its_replicas() -> None:
    assert "hint chat: scale_up, 4 -> 6 replicas" == hints_show.line({**HINT, "reasons": [], "vetoes": []})
