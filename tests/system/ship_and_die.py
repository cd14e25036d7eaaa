"""A shipper of load tests' spools that is killed between an insert and its acknowledgement: DATA URL SECRET N-TH."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from telemetry.accounting import Lane
from telemetry.delivery import Delivery
from telemetry.record import RequestBatch
from telemetry.samples import Sample
from telemetry.spool import orphans
from telemetry.store import Store


class Dying(Store):
    """A store whose n-th insert is the last thing that this process does."""

    left = int(sys.argv[4])

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        super().insert_requests(batch, token)
        self._die()

    def insert_samples(self, samples: Sequence[Sample], token: str) -> None:
        super().insert_samples(samples, token)
        self._die()

    def _die(self) -> None:
        Dying.left -= 1
        if Dying.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


for directory in orphans(Path(sys.argv[1]) / "spool"):
    sink = Dying(sys.argv[2], user="writer", password=sys.argv[3])
    Delivery(directory, node="n", sink=sink, lanes=(Lane.REQUESTS, Lane.CONTROL)).close(20.0)
