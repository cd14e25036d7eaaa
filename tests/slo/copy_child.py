"""Copies what a ledger holds to a store, in a process of its own: once for each line that it is told.

Arguments: the ledger, the URL of the store, the secrets of who may ask and of who may insert, the replica.
"""

import sys
from pathlib import Path
from uuid import uuid4

from slo.definitions import Definitions
from slo.ledger import Ledger
from slo.notice_log import NoticeLog
from telemetry.errors import StoreError
from telemetry.store import Store


def main(path: str, url: str, reading: str, writing: str, replica: str) -> None:
    ledger = Ledger(Path(path))
    reader, writer = Store(url, user="reader", password=reading), Store(url, user="writer", password=writing)
    definitions = Definitions(ledger, reader, writer)
    log = NoticeLog(ledger, writer, replica, lambda: uuid4().hex)
    for _ in sys.stdin:
        try:
            definitions.copy()
            print(log.copy(), flush=True)
        except StoreError:
            print("not now", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
