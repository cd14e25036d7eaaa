"""A real terminal before the verb, and a store behind it."""

import os
import pty
import readline
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inferometer import prompt
from inferometer.errors import ConfigurationError
from telemetry.testing.store_process import StoreProcess


def until(terminal: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], 20.0)
        if not ready:
            pytest.fail(f"after 20 s there is only {seen!r}")
        seen += os.read(terminal, 1000)
    return seen


def test_statements_are_typed_answered_and_remembered(process: StoreProcess) -> None:
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "inferometer", "sql", "--output", "csv", "--data", str(process.data)]
    plain = os.environ | {"TERM": "dumb"}
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=plain) as verb:
        try:
            until(terminal, b"sql> ")
            os.write(terminal, b"SELECT 40 +\n")
            until(terminal, b"...> ")
            os.write(terminal, b"2 AS x;\n")
            assert b'"x"\r\n42\r\n' in until(terminal, b"sql> ")
            os.write(terminal, b"SELECT nothing;\n")
            until(terminal, b"(UNKNOWN_IDENTIFIER)\r\nsql> ")
            os.write(terminal, b"\x04")
            assert 0 == verb.wait(20)
        finally:
            verb.kill()
    os.close(end)
    os.close(terminal)

    history = process.data / "sql_history"
    assert 0o600 == history.stat().st_mode & 0o777
    assert ["SELECT 40 +", "2 AS x;", "SELECT nothing;"] == history.read_text().splitlines()


Type = Callable[..., list[str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """What `run` asks for when these lines and keys are typed."""

    def run(*lines: str | type[BaseException], answer: Callable[[str], None] | None = None) -> list[str]:
        coming, asked = iter(lines), list[str]()

        def line(_: str) -> str:
            match next(coming, EOFError):
                case str(text):
                    return text
                case key:
                    raise key

        monkeypatch.setattr("builtins.input", line)
        prompt.run(answer or asked.append, tmp_path / "history")
        return asked

    return run


def test_what_a_statement_is(typed: Type) -> None:
    assert ["SELECT 1"] == typed("", "SELECT 1;")
    assert ["SELECT\n1"] == typed("SELECT", "1 ; ")
    assert ["b"] == typed("a", KeyboardInterrupt, "b;")
    assert ["a"] == typed("a;", "QUIT;", "b;")
    assert ["exit"] == [text.split()[-1] for text in typed("SELECT", "exit;")]
    assert [] == typed("half")


def test_what_goes_wrong_is_told_and_the_next_is_asked(typed: Type, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def answer(statement: str) -> None:
        asked.append(statement)
        raise {"a": ConfigurationError("not\nso"), "b": KeyboardInterrupt}[statement]

    typed("a;", "b;", answer=answer)
    assert (["a", "b"], "not so\ninterrupted\n") == (asked, capsys.readouterr().err)


def test_the_history_is_bounded_and_a_missing_directory_is_no_error(typed: Type, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("x\n" * (prompt.HISTORY_LINES_MAX + 1))
    typed()
    assert prompt.HISTORY_LINES_MAX == readline.get_history_length()
    assert prompt.HISTORY_LINES_MAX == len((tmp_path / "history").read_text().splitlines())

    prompt.run(print, tmp_path / "none" / "history")
    assert ["history"] == [path.name for path in tmp_path.iterdir()]
