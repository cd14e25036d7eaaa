"""Knows how an endpoint is asked, before a run, how many tokens the words of our prompts are; refuses to guess them.

Two prompts of different length, an answer of one token each: `usage.prompt_tokens` of both gives the tokens of a word,
and those that every prompt has besides. They are sent before the surroundings of the run are looked at, so they are
neither arrivals nor anybody else's requests. An endpoint that does not answer them, or counts nothing, costs no run: a
word then counts as a token, and the report says so and why.

Source: spec/loadtest.md 8 (two probe requests calibrate tokens per word from `usage.prompt_tokens`).
"""

import sys

import msgspec

from inferometer.load_guard import key_headers
from loadtest.asking import Asker
from loadtest.client import Client
from loadtest.errors import PlanError
from loadtest.line import addresses
from loadtest.plan import Plan
from loadtest.prompts import PROBE_WORDS_FEW, PROBE_WORDS_MANY, Calibration, calibrated
from loadtest.run_spec import RunSpec
from loadtest.target import target
from loadtest.waits import Deadlines
from telemetry.outcome import Outcome

PROBE_S_MAX = 20.0
"""Longest wait for the answer to one prompt."""
_TOO_LONG = frozenset({Outcome.CONTEXT_LENGTH, Outcome.INVALID_REQUEST})


def with_words(run: RunSpec, plan: Plan) -> RunSpec:
    """Return a run with the calibration of its first target; one that has it already is asked no more.

    Raises:
        ConfigurationError: The key cannot be read.
    """
    if run.calibration is not None:
        return run
    found = asked(run, plan)
    if found.why:
        sys.stderr.write(f"a word of a prompt counts as a token: {found.why}\n")
    return msgspec.structs.replace(run, calibration=found)


def asked(run: RunSpec, plan: Plan) -> Calibration:
    """Ask the first target of a run.

    Raises:
        ConfigurationError: The key cannot be read.
    """
    where, asker, headers = target(run.targets[0]), Asker(run, plan), key_headers(run.key_file)
    limits = Deadlines(connect_s=run.connect_s, first_token_s=PROBE_S_MAX, stall_s=PROBE_S_MAX, total_s=PROBE_S_MAX)
    try:
        address = addresses(where.place.host, where.place.port)[0]
    except OSError as error:
        return Calibration(why=f"{run.targets[0]}: {error.strerror}")
    client = Client(where, address, headers=headers, deadlines=limits)
    try:
        few = _counted(client, asker, (PROBE_WORDS_FEW,))
        return calibrated(few, _counted(client, asker, PROBE_WORDS_MANY))
    except PlanError as error:
        return Calibration(why=str(error))
    finally:
        client.close()


def _counted(client: Client, asker: Asker, lengths: tuple[int, ...]) -> tuple[int, int]:
    """Return words and tokens of the first prompt of these lengths that is answered.

    Raises:
        PlanError: None is, or its tokens were not told.
    """
    ended = "no prompt was asked"
    for words in lengths:
        told = client.exchange(asker.probe(words)).measured
        if told.tokens_in is not None:  # also where the one token shows no text
            return words, told.tokens_in
        if told.outcome is Outcome.OK:
            raise PlanError("the answers do not tell the tokens of their prompts")
        ended = f"a prompt of {words} words ended as {told.outcome}"
        if told.outcome not in _TOO_LONG:
            break
    raise PlanError(ended)
