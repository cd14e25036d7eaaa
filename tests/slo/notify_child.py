"""A notifier in a process of its own: tells one channel what a ledger holds, until it is killed or its input ends.

Arguments: the ledger, the kind of channel, its URLs; with `lease=FILE` it shares a lease that holds for ten seconds.
"""

import sys
from pathlib import Path
from uuid import uuid4

from receiver import channel

from slo.channels import ChannelKind
from slo.courier import Clock
from slo.lease import FileLease
from slo.ledger import Ledger
from slo.notifier import Notifier

LEASE_S = 10.0


def main(path: str, kind: str, *rest: str) -> None:
    urls = [one for one in rest if not one.startswith("lease=")]
    shared = [Ledger(Path(one.removeprefix("lease="))) for one in rest if one not in urls]
    ledger = Ledger(Path(path))
    lease = FileLease(shared[0], uuid4().hex, Clock().elapsed_s, LEASE_S) if shared else None
    notifier = Notifier([channel(ChannelKind(kind), *urls)], ledger, step_s=30, lease=lease)
    notifier.start()
    print("started", flush=True)
    for _ in sys.stdin:  # each line: look again
        notifier.stand([alert for alert in ledger.alerts().values() if alert.is_told])
        notifier.ring()
    print(notifier.stop(), flush=True)
    for one in (ledger, *shared):
        one.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
