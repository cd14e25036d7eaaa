"""A notifier in a process of its own: tells one channel what a ledger holds, until it is killed or its input ends."""

import sys
from pathlib import Path

from receiver import channel

from slo.channels import ChannelKind
from slo.ledger import Ledger
from slo.notifier import Notifier


def main(path: str, kind: str, *urls: str) -> None:
    ledger = Ledger(Path(path))
    notifier = Notifier([channel(ChannelKind(kind), *urls)], ledger, step_s=30)
    notifier.start()
    print("started", flush=True)
    for _ in sys.stdin:  # each line: look again
        notifier.stand([alert for alert in ledger.alerts().values() if alert.is_told])
        notifier.ring()
    print(notifier.stop(), flush=True)
    ledger.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
