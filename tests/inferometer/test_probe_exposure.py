"""The audit at the command line: what is printed, and how it ends."""

import json
import socket

import pytest
from exposed_engine import KEY_WANTED, NOT_FOUND, engine, log, only, url

from inferometer.__main__ import outcome
from inferometer.probe_exposure import ANSWER_BYTES_MAX, COLUMNS, GATE_FAILED
from probes.exposure_rules import CHANGE

QUICK = ["--per-s", "1000"]
STUB = {"OPTIONS /pause": only("POST"), "OPTIONS /flush_cache": only("GET", "POST")}


def test_what_is_open_is_printed_and_the_end_is_a_failed_gate(capsys: pytest.CaptureFixture[str]) -> None:
    with engine(STUB) as stub:
        code = outcome(["probe", "exposure", f"{url(stub)}/v1", "--output", "json", *QUICK])
        asked = log(stub, 1)
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]

    assert code == GATE_FAILED == 3
    assert [(row["severity"], row["path"]) for row in rows] == [("high", "/pause"), ("high", "/flush_cache")]
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert err.startswith("unknown, by the rules of those of every engine: ")
    assert err.endswith("2 findings, 2 of them high\n")
    assert not [line for line in asked if line.split(" ")[0] not in {"GET", "OPTIONS"}]
    assert not {line.removeprefix("GET ") for line in asked} & {path.path for path in CHANGE}


@pytest.mark.parametrize("answer", [NOT_FOUND, KEY_WANTED])
def test_a_guarded_engine_ends_well_with_an_empty_table(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with engine({}, answer) as stub:
        assert outcome(["probe", "exposure", url(stub), "--engine", "vllm", "--output", "csv", *QUICK]) == 0

    assert capsys.readouterr().out == ",".join(COLUMNS) + "\n"


def test_an_engine_that_is_named_is_not_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with engine({}) as stub:
        outcome(["probe", "exposure", url(stub), "--engine", "trt-llm", *QUICK])
        asked = log(stub, 1)

    assert asked[0].startswith("OPTIONS ")
    assert not [line for line in asked if "metrics" in line]
    assert "TensorRT-LLM at" in capsys.readouterr().err
    assert ANSWER_BYTES_MAX == 4 << 20  # spec/ui.md 1.1


@pytest.mark.parametrize("words", [[], ["--engine", "vllm"]])
def test_nobody_there_is_exit_5_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"

    assert outcome(["probe", "exposure", address, *words]) == 5
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ftp://h"], "found 'ftp://h'; allowed: http://HOST:PORT or https://HOST:PORT"),
        (["h:8000"], "found 'h:8000'; allowed: "),
        (["http://h:99999"], "found 'http://h:99999'; allowed: "),
        (["http://key@h"], "allowed: http://HOST:PORT"),
        (["http://h", "--engine", "vlm"], "--engine: found 'vlm'; allowed: vllm, "),
        (["http://h", "--per-s", "0"], "--per-s"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_word_is_exit_2_in_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["probe", "exposure", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
