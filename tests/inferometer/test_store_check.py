"""What a check says about answers of the belt's questions; real ones are in test_store_belt and test_rebuild."""

from inferometer import store_check
from inferometer.store_check import Row
from telemetry.queries import Question, identities

HOUR_MS = store_check.HOUR_MS
NAMES = ("n", "duplicates", "gaps", "gap_unix_ms")


def answering(rows: list[Row], hours: list[Row], asked: list[Question]) -> store_check.Ask:
    def ask(question: Question) -> list[Row]:
        asked.append(question)
        return rows if question.sql == identities(0, 1).sql else hours

    return ask


def of(collector: str, *values: int | None) -> Row:
    return {"collector": collector, **dict(zip(NAMES, values, strict=True))}


def test_each_fault_is_a_line_and_is_counted() -> None:
    rows = [of("n/a", 10, 0, 0, None), of("n/b", 7, 2, 3, 1_700_000_000_999), of("n/p", 5, 0, None, None)]
    hours: list[Row] = [{"hour_unix_s": 1_700_000_000 // 3600 * 3600, "n": 4, "n_1m": 4, "n_1h": 3}]
    found = store_check.check(answering(rows, hours, []), 0, 2 * HOUR_MS)

    assert (22, 2, 3, 1) == (found.rows, found.duplicates, found.gaps, found.hours)
    assert found.lines == (
        "n/b: 2 of 7 rows are there more than once",
        "n/b: 3 rows are missing beside 7, the first after 2023-11-14T22:13:20Z",
        "2023-11-14T22:00:00Z: 4 rows, r_1m counts 4, r_1h counts 3",
    )


def test_roll_ups_are_compared_by_whole_hours_that_are_over() -> None:
    asked: list[Question] = []
    found = store_check.check(answering([], [], asked), HOUR_MS + 5, 3 * HOUR_MS + 5)

    assert (0, ()) == (found.rows, found.lines)
    assert {"since": HOUR_MS + 5, "until": 3 * HOUR_MS + 5}.items() <= asked[0].parameters.items()
    assert {"since": 3600, "until": 3 * 3600} == asked[1].parameters
    asked.clear()
    store_check.check(answering([], [], asked), 5, 9)
    assert 1 == len(asked)
