"""The verbs below `store`: data on stdout, one line on stderr for every mistake."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from store_rows import fill

from inferometer.__main__ import outcome
from inferometer.cli_store import Document
from telemetry.accounting import DLQ, Lane
from telemetry.clock import wall_ms
from telemetry.dlq import DeadRow
from telemetry.record import RequestBatch
from telemetry.schema import document
from telemetry.spool import Spool
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

SERVER = ["--store-url", "http://127.0.0.1:9"]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.chdir(tmp_path)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = outcome(["store", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--data", "d", "stats"], 2, "--data: goes behind the command: inferometer store stats --data .."),
        (["--port", "0", "stats"], 2, "--port: goes behind the command: inferometer store stats --port .."),
        (["none"], 2, "No such command 'none'."),
        (["backup"], 2, "Missing argument 'DIR|FILE'."),
        (["restore", "none.tar", "--data", "d"], 5, "restore: none.tar is no file that can be read"),
        (["prune", "--data", "d"], 2, "Missing option '--older-than'."),
        (["schema", "--cluster", "a b"], 2, "--cluster: cluster name 'a b': letters"),
        (["schema", "--output", "x"], 2, "Invalid value for '--output'"),
        (["migrate"], 2, "store.url: name the server: inferometer store migrate --url http://HOST:8123"),
        (["migrate", "--url", "h:1"], 2, "--url: store.url: found 'h:1'; allowed: http://HOST:PORT or "),
        (["migrate", "--url", "http://127.0.0.1:9"], 5, "store http://127.0.0.1:9: "),
        (["migrate", "--url", "http://127.0.0.1:9", "--cluster", "a b"], 2, "store http://127.0.0.1:9: cluster name"),
        (["stats", "--data", "d"], 5, "no store runs on "),
        (["stats", *SERVER], 5, "store http://127.0.0.1:9 does not answer"),
        (["dlq", "replay", "--data", "d"], 5, "no store runs on "),
        (["stats", "--settings", "--data", "d"], 5, "no store runs on "),
        (["check", "--data", "d"], 5, "no store runs on "),
        (["check", "--since", "59s", "--data", "d"], 2, "--since: found '59s'; allowed: more than a minute ago"),
        (["repair", "--data", "d"], 2, "Missing option '--since'."),
        (["repair", "--since", "1h", "--until", "3h", "--data", "d"], 2, "--since: found '1h', which is not before"),
        (["repair", "--since", "1h", "--data", "d"], 5, "no store lies in "),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    found, out, err = said(words, capsys)

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert err.startswith(f"inferometer: {line}")
    assert [] == list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    "verb", [["backup", "x"], ["restore", "x"], ["prune", "--older-than", "1"], ["repair", "--since", "1h"]]
)
def test_a_server_is_looked_after_by_its_own_means(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INFEROMETER_STORE__URL", "http://127.0.0.1:9")
    code, _, err = said(verb, capsys)

    assert 2 == code
    assert f"{verb[0]} looks after the embedded store; a ClickHouse server has its own means" in err


def test_without_a_command_it_runs_and_a_second_owner_is_told(
    process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(["--data", str(process.data)], capsys)

    assert (2, "") == (code, out)
    assert f"is owned by process {process.pid} since" in err
    assert f"use it with store.url={process.url}, or choose another directory with --data" in err


def test_a_store_is_measured_copied_and_pruned(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    fill(process, 6)
    data = ["--data", str(process.data)]
    code, out, _ = said(["stats", *data, "--output", "json"], capsys)
    assert 0 == code
    assert "requests" in [json.loads(line)["table"] for line in out.splitlines()]
    assert 0 == said(["stats", "--columns", *data, "--output", "csv"], capsys)[0]

    code, out, err = said(["prune", "--older-than", "4", *data, "--output", "json"], capsys)
    assert (0, "requests") == (code, json.loads(out.splitlines()[0])["table"])
    assert err.endswith("nothing was dropped; say --apply\n")
    assert err.split(":")[0] in said(["prune", "--older-than", "4", "--apply", *data], capsys)[2]
    assert "0 partitions" in said(["prune", "--older-than", "5", "--table", "requests", *data], capsys)[2]

    code, out, err = said(["backup", "copy.tar", *data], capsys)
    assert (0, "copy.tar\n") == (code, out)
    assert err.endswith(f"{Path('copy.tar').stat().st_size} bytes\n")


def test_a_store_is_checked_and_repaired(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """A repair of hours that have rows waits for late ones: it is in tests/system/test_store_rebuild.py."""
    data = ["--data", str(process.data)]
    writer = process.store("writer")
    twice = (sample_request(1, wall_ms() - 120_000),) * 2
    writer.insert_requests(RequestBatch(collector="n/cli", seqs=(7, 7), records=twice), "cli")
    writer.close()
    code, out, err = said(["check", "--since", "3m", *data], capsys)
    assert (3, True) == (code, "n/cli: 1 of 2 rows are there more than once\n" in out)
    assert err.endswith(f"requests since 3m: {len(out.splitlines())} faults\n")

    code, out, err = said(["repair", "--since", "700d", "--until", "600d", *data], capsys)
    assert (0, "0 copies taken out, roll-ups made again of 0 requests\n", "") == (code, out, err)
    assert 0 == said(["stats", "--settings", *data, "--output", "json"], capsys)[0]


@pytest.mark.parametrize(
    ("output", "start"),
    [("markdown", "# Schema of the store\n"), ("sql", "CREATE DATABASE IF NOT EXISTS inferometer;\n"), ("json", "{\n")],
)
def test_the_schema_is_printed_in_each_form(output: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(["schema", "--output", output], capsys)

    assert (0, "") == (code, err)
    assert out.startswith(start)
    assert "r_1m" in out
    assert list(Document) == list(document.Output)


def test_a_cluster_has_its_own_sql(capsys: pytest.CaptureFixture[str]) -> None:
    assert "requests_local ON CLUSTER 'c1'" in said(["schema", "--output", "sql", "--cluster", "c1"], capsys)[1]


def test_dead_letters_are_listed_and_replayed(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(process.data)]
    (process.data / "spool").mkdir(exist_ok=True)
    with closing(Spool(process.data / "spool" / "cli", node="cli")) as spool:
        spool.append_requests([sample_request(1)])
        [row] = spool.reader().cut()
        spool.dlq.add([DeadRow(row.seq, Lane.REQUESTS, "cli-1", 27, "cannot parse", row.payload, 1)])
        spool.settle(spool.freeze([row]), DLQ)
    _, out, _ = said(["dlq", "list", *data, "--output", "json"], capsys)
    name = json.loads(out)["id"]

    assert (0, f"{name} stored\n", "1 stored, 0 refused\n") == said(["dlq", "replay", name, *data], capsys)
    assert "no dead letter" in said(["dlq", "replay", name, *data], capsys)[2]
    assert (0, "", "0 stored, 0 refused\n") == said(["dlq", "replay", *data], capsys)


def test_no_dead_letters_are_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (0, "", "") == said(["dlq", "list", "--data", str(tmp_path / "d"), "--output", "json"], capsys)
    assert "0 dead letters" in said(["dlq", "list", "--data", str(tmp_path / "d")], capsys)[1]
