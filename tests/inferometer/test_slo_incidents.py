"""Incidents that people marked: what is read, and where a mistake is."""

from pathlib import Path

import pytest

from inferometer.errors import ConfigurationError
from inferometer.slo_incidents import FIELDS, INCIDENTS_MAX, incidents
from slo.score import Incident

HEAD = ",".join(FIELDS) + "\n"


def test_incidents_are_read_with_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_text(
        HEAD
        + '2026-11-02T10:00:00Z,2026-11-02T11:00:00+00:00,chat,"deploy, bad"\n\n'
        + "2026-11-02T10:00:00,2026-11-02 12:30+01:00,,\n"
    )
    start_s = 1_793_613_600  # date -u -d 2026-11-02T10:00 +%s

    assert incidents(path) == [
        Incident(start_s=start_s, end_s=start_s + 3_600, service="chat", label="deploy, bad"),
        Incident(start_s=start_s, end_s=start_s + 5_400),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: found ''; allowed: start,end,service,label"),
        ("start,end\n", ":1: found 'start,end'; allowed: start,end,service,label"),
        (HEAD + "\n2026-01-01,x,a,b\n", ":3: end: found 'x'; allowed: a time like 2026-01-31T12:00:00Z"),
        (HEAD + "2026-01-01,2026-01-02,a\n", ":2: found 3 values; allowed: 4, start,end,service,label"),
        (HEAD + "2026-01-02,2026-01-02,a,b\n", ":2: end: found '2026-01-02'; allowed: a time after the start,"),
        (HEAD + '2026-01-02,2026-01-03,a,"b\n', ":2: not valid CSV: unexpected end of data"),
        (HEAD + "2026-01-01,2026-01-02,a,b\n" * (INCIDENTS_MAX + 1), f":{INCIDENTS_MAX + 2}: more than 10000 inc"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "i.csv"
    path.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        incidents(path)
    assert str(caught.value).startswith(f"{path}{said}")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        incidents(tmp_path / "i.csv")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        incidents(tmp_path / "none.csv")
    (tmp_path / "most.csv").write_text(HEAD + "2026-01-01,2026-01-02,a,b\n" * INCIDENTS_MAX)
    assert len(incidents(tmp_path / "most.csv")) == INCIDENTS_MAX
