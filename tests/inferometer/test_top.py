"""One refresh of the live view; a store in trouble is shown, not fatal."""

import io
import socket
from pathlib import Path

from report_rows import row
from rich.console import Console

from inferometer.accounts import accounts
from inferometer.config_schema import Config, StoreKeys
from inferometer.report import Window, groups
from inferometer.top import Frame, live, picture

WINDOW = Window(since_ms=940_000, until_ms=1_060_000)


def text_of(frame: Frame) -> str:
    screen = Console(file=io.StringIO(), width=100)
    with screen.capture() as captured:
        screen.print(picture(frame))
    return captured.get()


def test_a_frame_shows_groups_and_the_identity() -> None:
    shown = text_of(Frame(window=WINDOW, groups=groups([row()], WINDOW), accounts=accounts("")))

    assert shown.startswith("last 60 s; exact\nchat  tiny  (300 requests)")
    assert "telemetry: accepted 0 = stored 0 + spooled 0 + dropped 0 + dlq 0" in shown


def test_hints_stand_below_the_groups() -> None:
    hint = {
        "id": "h", "seq": 1, "mode": "advisory", "action": "hold", "issued_at": "t", "expires_at": "u",
        "target": {"name": "chat"}, "replicas": {"spec": 4, "ready": 4, "desired": 4, "warming": 0}, "reasons": [],
        "vetoes": [{"code": "COOLDOWN"}], "confidence": {"score": 1.0, "level": "high"},
        "forecast": {"lead_s": 300.0, "lead_basis": "assumed"},
    }  # fmt: skip
    shown = text_of(Frame(window=WINDOW, groups=groups([row()], WINDOW), accounts=None, hints=[hint]))

    assert "hint chat: hold, 4 -> 4 replicas; COOLDOWN" in shown


def test_an_empty_frame_says_what_to_look_at() -> None:
    shown = text_of(Frame(window=WINDOW, groups=[], accounts=None, trouble="store away"))

    assert shown.startswith("store away\nno requests ended in the last 60 s; is traffic going to the tee's port?")
    assert "no supervisor answers" in shown


def test_the_view_goes_on_while_the_store_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    waits: list[float] = []

    live(Config(data=str(tmp_path), store=StoreKeys(url=url)), wait=waits.append, ended=lambda: len(waits) == 2)

    assert waits == [1.0, 1.0]
