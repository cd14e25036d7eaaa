"""What reaches stderr: JSON lines where no person looks, and only fields that are known to be harmless."""

import json

import pytest

from inferometer.log import FIELDS, to_stderr


def test_an_event_is_one_json_line_without_unknown_fields(capsys: pytest.CaptureFixture[str]) -> None:
    to_stderr()("child ended", role="tee-0", prompt="secret words")

    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["role"], told["level"]) == ("child ended", "tee-0", "info")
    assert set(told) <= FIELDS
