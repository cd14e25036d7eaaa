"""`inferometer slo notify --test` against receivers over real sockets."""

import json
from pathlib import Path

import pytest
from receiver import Receiver, receiver

from inferometer.__main__ import outcome
from inferometer.slo_notify import COLUMNS, UNREACHABLE

FILE = """\
channels:
  - {{name: am, kind: alertmanager, urls: ["{am}"], severities: [page]}}
  - {{name: pd, kind: pagerduty, url: "{pd}", secret_file: key, networks: [127.0.0.0/8]}}
  - {{name: bot, kind: webhook, url: "{bot}/s3cret", networks: [127.0.0.0/8]}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFEROMETER_SLO__CHANNELS", str(tmp_path / "channels.yaml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "key").write_text("routing")
    return tmp_path


def write(here: Path, am: Receiver, pd: Receiver, bot: Receiver) -> None:
    (here / "channels.yaml").write_text(FILE.format(am=am.url, pd=pd.url, bot=bot.url))


def test_every_channel_is_told_that_it_is_a_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with receiver() as am, receiver() as pd, receiver() as bot:
        write(here, am, pd, bot)
        code = outcome(["slo", "notify", "--test", "--output", "json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert code == 0
    assert [(row["channel"], row["said"], row["result"]) for row in rows] == [
        ("am", "firing", "sent"),
        ("pd", "firing", "sent"),
        ("pd", "resolved", "sent"),
        ("bot", "firing", "sent"),
    ]
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert [alert["labels"]["alertname"] for alert in am.got[0].body] == ["InferometerTest"]
    assert [got.body["event_action"] for got in pd.got] == ["trigger", "resolve"]
    assert pd.got[0].body["dedup_key"] == pd.got[1].body["dedup_key"]
    assert bot.got[0].body["alerts"][0]["annotations"]["summary"].startswith("This is a test")


def test_a_dead_mans_switch_is_told_that_somebody_lives(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with receiver() as switch:
        told = f'channels: [{{name: dead, kind: dead_man, url: "{switch.url}", networks: [127.0.0.0/8]}}]\n'
        (here / "channels.yaml").write_text(told)
        code = outcome(["slo", "notify", "--test", "--output", "json"])

    assert (code, json.loads(capsys.readouterr().out)["result"]) == (0, "sent")
    assert switch.got[0].body["status"] == "alive"


def test_one_that_does_not_take_it_is_named_and_its_address_is_not_shown(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiver() as am, receiver() as pd, receiver(lambda _: (404, {})) as bot:
        write(here, am, pd, bot)
        code = outcome(["slo", "notify", "bot", "--test", "--output", "csv"])
    out, err = capsys.readouterr()

    assert code == UNREACHABLE == 5
    assert out.splitlines() == [",".join(COLUMNS), "bot,webhook,127.0.0.1,firing,retry,answered 404"]
    assert "s3cret" not in out + err
    assert (am.got, pd.got, len(bot.got)) == ([], [], 1)


def test_a_channel_that_is_not_there_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with receiver() as one:
        write(here, one, one, one)

        assert outcome(["slo", "notify", "nobody", "--test"]) == 2
    assert "found channel 'nobody'; allowed: am, pd, bot" in capsys.readouterr().err


def test_without_a_file_or_without_test_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert outcome(["slo", "notify", "--test"]) == 2
    assert "slo.channels: found nothing" in capsys.readouterr().err
    assert outcome(["slo", "notify"]) == 2
    assert "allowed: --test" in capsys.readouterr().err
