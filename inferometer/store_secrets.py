"""Knows the users of the embedded store and where secrets of our own making lie; refuses to know what each may do.

Source: spec/store.md 8.4 (users), spec/reliability.md 10 (256 random bits, compared in constant time).
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

USERS = ("writer", "reader", "grafana")
SECRET_BITS = 256
SECRET_BYTES_MAX = 4096
"""Longest secret file that is read."""


def secret_path(data: Path, user: str) -> Path:
    """Return the file that holds a user's secret, `<data>/secrets/store_<user>`."""
    return data / "secrets" / f"store_{user}"


def read_secret(path: Path) -> str:
    """Return the secret that a file holds."""
    with path.open() as file:
        return file.read(SECRET_BYTES_MAX).strip()


def ensure(data: Path) -> dict[str, str]:
    """Return the secret of every user, making those that are missing (0600, never readable by others in between)."""
    (data / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)
    return {user: _ensured(secret_path(data, user)) for user in USERS}


def flow_key(data: Path) -> Path:
    """Return the file of the key by which names of workflows are hashed, `<data>/secrets/flows`, made if need be."""
    path = data / "secrets" / "flows"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _ensured(path)
    return path


def user_of(known: Mapping[str, str], user: str, secret: str) -> str | None:
    """Return whose secret this is, in constant time; None if nobody's. An empty user means: find it by the secret."""
    raw = secret.encode()
    fits = [name for name, kept in known.items() if hmac.compare_digest(kept.encode(), raw)]
    return next((name for name in fits if user in {"", name}), None)


def _ensured(path: Path) -> str:
    with suppress(FileExistsError):
        # Subtle: O_EXCL and the mode together; a chmod afterwards would leave a moment of 0644.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(SECRET_BITS // 8) + "\n")
    return read_secret(path)
