import os
import select

import pytest

from loadtest.alarm import Alarm
from telemetry.clock import monotonic_ns

MS = 1_000_000


def wait_read(fd: int) -> None:
    select.select([fd], [], [], 10)


def test_it_waits_until_the_instant_and_not_less() -> None:
    alarm = Alarm(wait_read)
    for _ in range(3):
        at_ns = monotonic_ns() + 5 * MS
        alarm.wait(at_ns)
        assert monotonic_ns() >= at_ns
    alarm.close()


@pytest.mark.parametrize("at_ns", [0, 1, -5])
def test_an_instant_that_has_passed_is_not_waited_for(at_ns: int) -> None:
    alarm = Alarm(wait_read)
    alarm.wait(at_ns)
    alarm.close()


def test_an_alarm_that_is_set_anew_forgets_the_old_instant() -> None:
    alarm = Alarm(wait_read)
    alarm.wait(monotonic_ns())
    at_ns = monotonic_ns() + 5 * MS
    alarm.wait(at_ns)

    assert monotonic_ns() >= at_ns
    alarm.close()


def test_a_timer_that_is_gone_is_an_error() -> None:
    alarm = Alarm(wait_read)
    alarm.close()

    with pytest.raises(OSError, match=os.strerror(9)):
        alarm.wait(1)
