"""Our own metrics page, read into the accounting identity."""

from inferometer.accounts import accounts

PAGE = """\
# HELP inferometer_records_total Records by lane and whereabouts.
inferometer_records_total{lane="requests",state="accepted"} 10.0
inferometer_records_total{lane="requests",state="stored"} 7.0
inferometer_records_total{lane="requests",state="dropped"} 1.0
inferometer_records_total{lane="requests",state="dlq"} 0.0
inferometer_records_total{lane="heartbeats",state="accepted"} 99.0
inferometer_spooled_records{lane="requests"} 2.0
inferometer_tee_frames_dropped_total 3.0
inferometer_requests_open 4.0
"""


def test_the_identity_is_read_from_the_lane_of_requests() -> None:
    read = accounts(PAGE)

    assert read.line() == "accepted 10 = stored 7 + spooled 2 + dropped 1 + dlq 0; frames dropped 3; open 4"
    assert read.document()["residue"] == 0


def test_what_nobody_accounts_for_is_shouted() -> None:
    read = accounts(PAGE.replace('state="stored"} 7.0', 'state="stored"} 5.0'))

    assert read.residue == 2
    assert read.line().endswith("; UNACCOUNTED 2")


def test_counters_that_have_not_begun_count_as_zero() -> None:
    assert set(accounts("").document().values()) == {0}
