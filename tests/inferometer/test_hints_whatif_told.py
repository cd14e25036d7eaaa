"""What is told to another process arrives there."""

from dataclasses import replace

import msgspec
from whatif_rig import asked, target

from inferometer.hints_whatif_told import Refused, Said, WhatIf
from slo.problem import ProblemCode
from slo.scaling.schedule import schedule
from telemetry.handed import handed


def test_a_question_and_its_answer_arrive_whole() -> None:
    peaks = (schedule("peak", "0 14 * * 1-5", "America/New_York", 3_600, expected_rps=20.0),)
    one = replace(target("chat", schedules=peaks, ttft_s=2.0), model="m", objective_ratio=0.99)
    told = WhatIf(
        parent=1, store_url="http://s:1", reader="r", reader_password_file="", target=one, asked=asked("ours")
    )
    said = Said(refused=Refused(code=ProblemCode.TOO_MUCH, text="much", where="body.from"))

    assert told == handed(msgspec.json.encode(told).decode(), WhatIf)
    assert said == msgspec.json.decode(msgspec.json.encode(said), type=Said)
