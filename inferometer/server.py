"""Knows how a ClickHouse server gets our tables before rows are sent to it; refuses to hold up the start for it.

Source: spec/store.md 9 (migrations: forward, idempotent, additive).
"""

from importlib.metadata import version

from inferometer import migrate
from inferometer.supervisor import Log
from telemetry.errors import StoreDeniedError, StoreError
from telemetry.store import Store


def make_tables(url: str, user: str, password: str, log: Log) -> bool:
    """Create what is missing on a server and compare what is there.

    Returns:
        Whether the server is as this version writes it; if not, or if that may not be asked, the reason was logged.
    """
    # The database may not be there yet, so the connection must not name it.
    store = Store(url, user=user, password=password, database="")

    def execute(statement: str) -> str:
        return store.raw(statement, output="").decode()

    try:
        migrate.apply(execute, by=f"inferometer {version('inferometer')}")
        migrate.verify(execute)
    except StoreDeniedError:
        log("the tables may not be checked by this user; rows are sent all the same", store=url)
        return False
    except (StoreError, migrate.SchemaDriftError) as error:
        log("the store is not ready; rows wait in the spool", store=url, reason=" ".join(str(error).split()))
        return False
    finally:
        store.close()
    return True
