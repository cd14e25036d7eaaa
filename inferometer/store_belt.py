"""Knows how the embedded store looks after itself: a check each day, and a page of figures for Prometheus.

The figures of the check are missing until the first one is done, and stay those of the last one if one fails. Refuses
to know what is checked.

Source: spec/store.md 10.9 (nightly, names of the gauges); Prometheus text format 0.0.4.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping

from inferometer import store_check, store_wire
from inferometer.store_check import Found, Row
from inferometer.store_engine import READ_S_MAX, EngineError, Result
from inferometer.store_pool import BusyError, Work
from telemetry import clock
from telemetry.queries import Question
from telemetry.schema import DATABASE

FIRST_S, EACH_S = 600.0, 86_400.0
"""From the start to the first check: a recovery should be over; and from one check to the next."""
WINDOW_MS = 25 * 3_600_000
"""What is looked at: a day, and an hour that the check before saw too."""
NAMES_MAX = 64
"""Different settings that are counted by name; more are counted as `other`, and so is what is no name."""
Read = Callable[[str, str, Mapping[str, str], str], Work[Result]]
"""Runs a reader's statement; its arguments are those of `Engine.read`."""
_NAME = re.compile(r"[a-z0-9_]{1,64}")


class Belt:
    """What a store process knows of itself.

    Attributes:
        ignored: How often a setting of a reader was ignored, by name.
        found: The last check; None before the first.
        checked_unix_ms: When that was.
        failed: Checks that could not be made.
    """

    def __init__(self, read: Read) -> None:
        """Know nothing yet."""
        self._read = read
        self.ignored: Counter[str] = Counter()
        self.found: Found | None = None
        self.checked_unix_ms = 0
        self.failed = 0

    def ignore(self, names: set[str]) -> None:
        """Count settings that a reader sent and that mean nothing here."""
        for name in sorted(names):
            is_counted = name in self.ignored or (len(self.ignored) < NAMES_MAX and _NAME.fullmatch(name))
            self.ignored[name if is_counted else "other"] += 1

    async def watch(self, first_s: float = FIRST_S, each_s: float = EACH_S) -> None:
        """Check again and again until cancelled."""
        await asyncio.sleep(first_s)
        while True:
            await asyncio.to_thread(self.check)
            await asyncio.sleep(each_s)

    def check(self) -> None:
        """Check once."""
        now_ms = clock.wall_ms()
        until_ms = now_ms - store_check.ON_THEIR_WAY_MS
        try:
            self.found = store_check.check(self._rows, until_ms - WINDOW_MS, until_ms)
        except (EngineError, BusyError, TimeoutError):
            self.failed += 1
        else:
            self.checked_unix_ms = now_ms

    def page(self) -> str:
        """Return the figures in Prometheus' text format."""
        families = [
            _family("settings_ignored_total", "Settings of readers that mean nothing here.", self.ignored),
            _family("checks_failed_total", "Checks that could not be made.", {"": self.failed}),
        ]
        if self.found is not None:
            found, checked_s = self.found, self.checked_unix_ms / 1000
            families += [
                _family("duplicates", "Rows that are there more than once.", {"": found.duplicates}),
                _family("gaps", "Sequence numbers without a row.", {"": found.gaps}),
                _family("rollup_hours_wrong", "Hours whose roll-ups differ from the rows.", {"": found.hours}),
                _family("checked_timestamp_seconds", "When they were counted.", {"": checked_s}),
            ]
        return "".join(families)

    def _rows(self, question: Question) -> list[Row]:
        parameters = {name: store_wire.escaped(str(value)) for name, value in question.parameters.items()}
        work = self._read(question.sql, "JSONEachRow", parameters, DATABASE)
        try:
            found = work.future.result(READ_S_MAX + 1)
        except TimeoutError:
            work.stop()
            raise
        return [json.loads(line) for line in found.body.splitlines()]


def _family(short: str, meaning: str, values: Mapping[str, float]) -> str:
    name, kind = f"inferometer_store_{short}", "counter" if short.endswith("_total") else "gauge"
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    lines += [f'{name}{{name="{label}"}} {value}' if label else f"{name} {value}" for label, value in values.items()]
    return "\n".join([*lines, ""])
