"""A notifier in a process of its own: tells one channel what a ledger holds, until it is killed or its input ends.

Arguments: the ledger, the kind of channel, its URLs. With `lease=FILE` it shares a lease that holds for ten seconds,
with `store=URL` and `secret=..` it copies its steps there all the time.
"""

import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

from receiver import channel

from slo.channels import ChannelKind
from slo.courier import Clock
from slo.lease import FileLease
from slo.ledger import Ledger
from slo.notice_log import NoticeLog
from slo.notifier import Notifier
from telemetry.clock import sleep
from telemetry.errors import StoreError
from telemetry.store import Store

LEASE_S = 10.0


def copying(ledger: Ledger, url: str, secret: str) -> None:
    """Copy what there is to a store, again and again."""
    log = NoticeLog(ledger, Store(url, user="writer", password=secret), "killed", lambda: uuid4().hex)
    while True:
        with suppress(StoreError):
            log.copy()
        sleep(0.001)


def main(path: str, kind: str, *rest: str) -> None:
    more = dict(one.split("=", 1) for one in rest if one.startswith(("lease=", "store=", "secret=")))
    urls = [one for one in rest if one.partition("=")[0] not in more]
    shared = [Ledger(Path(more["lease"]))] if "lease" in more else []
    ledger = Ledger(Path(path))
    lease = FileLease(shared[0], uuid4().hex, Clock().elapsed_s, LEASE_S) if shared else None
    notifier = Notifier([channel(ChannelKind(kind), *urls)], ledger, step_s=30, lease=lease)
    notifier.start()
    if "store" in more:
        Thread(target=copying, args=(ledger, more["store"], more["secret"]), daemon=True).start()
    print("started", flush=True)
    for _ in sys.stdin:  # each line: look again
        notifier.stand([alert for alert in ledger.alerts().values() if alert.is_told])
        notifier.ring()
    print(notifier.stop(), flush=True)
    for one in (ledger, *shared):
        one.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
