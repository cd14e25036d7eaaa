"""A service that follows a target through instants of the past, as fast as it can, until it is killed or done.

python hints_child.py STORE_URL SECRETS_FOLDER LEDGER TARGET FIRST_S LAST_S
"""

import sys
from pathlib import Path

from hints_rig import Clock, Serving, target

from telemetry.handed import secret
from telemetry.store import Store


def main() -> None:
    url, secrets, ledger, name, first_s, last_s = sys.argv[1:]
    reader, writer = (
        Store(url, user=who, password=secret(str(Path(secrets) / f"store_{who}"))) for who in ("reader", "writer")
    )
    serving = Serving(reader, writer, Path(ledger), [target(name)], Clock(float(first_s)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for at_s in range(int(first_s), int(last_s) + 1, 15):
        serving.at(at_s)


if __name__ == "__main__":
    main()
