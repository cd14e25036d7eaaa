from telemetry.schema import ledger


def test_the_audit_is_a_chain_that_lasts_five_years() -> None:
    kinds = {column.name: column.type for column in ledger.AUDIT.columns}

    assert kinds["prev_hash"] == kinds["hash"] == "FixedString(32)"
    assert ledger.AUDIT.kept_days == 5 * 365 + 1
    assert ledger.AUDIT.partition_by == "toYYYYMM(at)"


def test_migrations_and_prices_stay_for_ever() -> None:
    assert ledger.SCHEMA_MIGRATIONS.kept_days is ledger.PRICES.kept_days is None


def test_a_dead_letter_is_only_an_index() -> None:
    assert "payload" not in {column.name for column in ledger.DLQ.columns}
