"""Knows how to ask an engine what it is, over one short connection per question; refuses to judge what it says.

What is asked, in which order, and what the answers tell is in `probes.detect`, the same for whoever asks.

Source: spec/ui.md 1.1 (GET only, no redirects, 2 s, body cap 4 MiB, identity encoding).
"""

from inferometer import ask
from inferometer.address import Address
from probes.detect import Answer, Detected, judge, next_path

UNKNOWN = "openai-compatible"
"""What an engine is called that does not tell."""
_ACCEPT = "text/plain;version=0.0.4, */*;q=0.5"


def asked(target: Address, api_key: str = "") -> Detected | None:
    """Return what the engine says about itself; None if nobody answers."""
    headers = {"Accept": _ACCEPT} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    answers: dict[str, Answer | None] = {}
    while (path := next_path(answers)) is not None:
        try:
            got = ask.get(target, path, headers=headers)
        except OSError:
            answers[path] = None
        else:
            answers[path] = Answer(status=got.status, body=got.body)
    found = judge(answers)
    return found if found.reached else None


def name(found: Detected) -> str:
    """Return what to call an engine."""
    return found.engine.value if found.engine else UNKNOWN
