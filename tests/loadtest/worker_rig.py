"""Runs one worker on greenlets, as Locust would, and prints its report: `worker_rig.py RUN.json`.

A process of its own, because gevent patches sockets.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 -- the patch comes first
from pathlib import Path  # noqa: E402
from typing import Any, cast  # noqa: E402

import gevent  # noqa: E402
import msgspec  # noqa: E402
from gevent.hub import get_hub  # noqa: E402
from gevent.socket import wait_read  # noqa: E402

from loadtest.alarm import Alarm  # noqa: E402
from loadtest.planner import build  # noqa: E402
from loadtest.pump import pumped  # noqa: E402
from loadtest.run_spec import decoded  # noqa: E402
from loadtest.worker import Hands, Worker  # noqa: E402
from telemetry.clock import monotonic_ns  # noqa: E402


def main() -> None:
    run = decoded(Path(sys.argv[1]).read_bytes())
    hands = Hands(
        spawn=gevent.spawn,
        sleep=gevent.sleep,
        wait_until=Alarm(wait_read).wait,
        apart=cast("Any", get_hub()).threadpool.apply,
        pump=pumped,
    )
    worker = Worker(run, build(run.plan), (0, 1), hands=hands, tell=lambda _: None, seen=lambda _: None)
    report = worker.run(monotonic_ns())
    sys.stdout.buffer.write(msgspec.json.encode(report))


main()
