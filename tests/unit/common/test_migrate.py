import pytest
from asyncpg.types import ServerVersion

from services.common.migrate import CannotMigrate, Migration, _check_version, _statements, migrations, still_to_apply

ONE, TWO = Migration("0001_one", "SELECT 1;"), Migration("0002_two", "SELECT 2;")


def test_what_is_applied_is_not_applied_again() -> None:
    assert still_to_apply([ONE, TWO], {}) == [ONE, TWO]
    assert still_to_apply([ONE, TWO], {"0001_one": ONE.sha256}) == [TWO]


def test_a_file_that_changed_after_it_was_applied_is_refused() -> None:
    with pytest.raises(CannotMigrate, match="0001_one was changed"):
        still_to_apply([ONE, TWO], {"0001_one": TWO.sha256})


def test_a_database_of_a_newer_version_is_refused() -> None:
    with pytest.raises(CannotMigrate, match="newer version of Syncwatch"):
        still_to_apply([ONE], {"0001_one": ONE.sha256, "0002_two": TWO.sha256})


def test_a_file_without_a_transaction_is_sent_statement_by_statement() -> None:
    sql = "-- no-transaction\nCREATE INDEX CONCURRENTLY a ON t (a);\n-- why; because\nSELECT 1;\n"
    assert not Migration("x", sql).in_transaction
    assert len(_statements(sql)) == 2


class OldServer:
    """A connection, as far as its server's version goes."""

    def get_server_version(self) -> ServerVersion:
        return ServerVersion(15, 6, 0, "final", 0)


def test_a_postgres_before_18_is_refused_by_its_version() -> None:
    with pytest.raises(CannotMigrate, match=r"Postgres 15\.6 is too old: Syncwatch needs version 18 or newer"):
        _check_version(OldServer())  # type: ignore[arg-type]


def test_the_names_of_our_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(migration.name[:4]) for migration in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
