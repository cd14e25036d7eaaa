"""Knows the errors of this room, one class per thing that a caller can do differently.

    SloError
    ├── ObjectiveError   a file, or a value in it, is not what we accept; the message names place, key, found, allowed
    ├── CountsError      counts that cannot be (bad above eligible, NaN): the value is withheld and a page says so
    ├── DeskFullError    too many silences, markers or overrides; no more are taken
    └── LedgerError      the file of alerts and notices cannot be used; nothing is sent that is not written down

Source: spec/slo.md 1 (errors of files), 4 (`SLIInvalid`).
"""


class SloError(Exception):
    """Root of this room's errors."""


class ObjectiveError(SloError):
    """A definition that is refused.

    Attributes:
        where: File and line, `objectives/chat.yaml:12`; empty where no file is known.
        key: The key or setting that is wrong, with its path: `spec.objectives[0].target`.
        found: What stands there.
        allowed: What may stand there.
    """

    def __init__(self, where: str, key: str, found: str, allowed: str) -> None:
        """Keep the four parts and one line for people."""
        place = f"{where}: " if where else ""
        super().__init__(f"{place}{key}: found {found}, allowed {allowed}")
        self.where, self.key, self.found, self.allowed = where, key, found, allowed


class CountsError(SloError):
    """Counts that no window can hold; becomes the alert `SLIInvalid`."""


class DeskFullError(SloError):
    """Too much lies on the desk; no more is taken."""


class LedgerError(SloError):
    """The engine's own file cannot be used."""
