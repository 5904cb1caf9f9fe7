from __future__ import annotations

from pathlib import Path

from passlib.hash import sha256_crypt

from services.ingest.connectors.caldav_crm import accounts


def lets_in(state_dir: Path, login: str, password: str) -> bool:
    entries = dict(line.split(":", 1) for line in accounts.server_file(state_dir).read_text().splitlines())
    return bool(sha256_crypt.verify(password, entries[login]))


def test_laying_again_changes_no_password_and_adds_who_is_new(tmp_path: Path) -> None:
    first = accounts.lay(tmp_path, ("anna",))
    both = accounts.lay(tmp_path, ("anna", "bruno"))
    assert both["anna"] == first["anna"] != both["bruno"]
    assert all(lets_in(tmp_path, login, password) for login, password in both.items())


def test_a_password_changed_on_the_server_is_not_what_the_connector_knows(tmp_path: Path) -> None:
    known = accounts.lay(tmp_path, ("anna", "bruno"))
    accounts.change_on_server(tmp_path, "anna", "another")
    assert lets_in(tmp_path, "anna", "another")
    assert not lets_in(tmp_path, "anna", known["anna"])
    assert lets_in(tmp_path, "bruno", known["bruno"])
    assert accounts.read_known(tmp_path) == accounts.lay(tmp_path, ("anna", "bruno")) == known


def test_passwords_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    accounts.lay(tmp_path, ("anna",))
    for path in (accounts.known_file(tmp_path), accounts.server_file(tmp_path)):
        assert path.stat().st_mode & 0o077 == 0
