"""The command line, as an operator uses it: in a process of its own, on a real database."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from services.common.kafka import client_options
from services.query.commands.command_line import carry_out, parser
from tests.conftest import Topics
from tests.integration.query.conftest import Service
from tests.rig.databases import Database


async def run(database: Database, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run `syncwatch …` in this process; return its exit code, what it said and what it complained about."""
    code, said = await carry_out(parser().parse_args(arguments), {"DATABASE_URL": database.owner_url} | environment)
    return (code, "", said) if code else (code, said, "")


async def start(database: Database, *arguments: str) -> tuple[int, str, str]:
    """The same in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.query.commands", *arguments,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database.owner_url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode().strip(), err.decode().strip()


async def actions(database: Database) -> list[str]:
    """Return the audit's actions in order."""
    async with database.connect() as connection:
        return [row["action"] for row in await connection.fetch("SELECT action FROM audit_event ORDER BY id")]


async def test_s8_an_account_signs_in_once_by_its_printed_link(service: Service) -> None:
    database = service.database
    assert (await run(database, "accounts", "add", "ann@example.org", "--role", "platform_admin"))[0] == 0
    code, link, _ = await run(database, "accounts", "link", "ann@example.org", PANEL_URL="http://127.0.0.1:9999/")
    assert code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:9999/sign-in/[A-Za-z0-9_-]{43}", link)
    path = link.removeprefix("http://127.0.0.1:9999")
    service.services.now = lambda: datetime.now(UTC)
    async with service.client() as client:
        answer = await client.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].casefold()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert (await client.get("/api/v1/me")).json()["role"] == "platform_admin"
    async with service.client() as other:
        again = await other.post(path)
        assert again.headers["location"] == "/sign-in?problem=expired"
    assert await actions(database) == ["account_added", "link_made", "sign_in"]


async def test_s8_a_revoked_key_is_refused_at_the_next_request(service: Service) -> None:
    code, key, _ = await run(service.database, "keys", "add", "reports", "--role", "support")
    assert code == 0
    async with service.client(authorization=f"Bearer {key}") as client:
        assert (await client.get("/api/v1/me")).status_code == 200
        _, listed, _ = await run(service.database, "keys", "list")
        assert key not in listed
        identity = listed.splitlines()[-1].split()[0]
        assert (await run(service.database, "keys", "revoke", identity))[0] == 0
        assert (await client.get("/api/v1/me")).status_code == 401
    code, _, complaint = await run(service.database, "keys", "revoke", identity)
    assert (code, complaint) == (1, f"There is no key {identity} that is still valid.")


async def test_a_disabled_account_is_out_at_once_and_enabled_begins_anew(service: Service) -> None:
    database = service.database
    assert (await run(database, "accounts", "add", " Ann@Example.org ", "--role", "support"))[0] == 0
    assert (await run(database, "accounts", "add", "ann@example.ORG", "--role", "support"))[0] == 1
    service.services.now = lambda: datetime.now(UTC)
    _, link, _ = await run(database, "accounts", "link", "ANN@example.org")
    _, spare, _ = await run(database, "accounts", "link", "ann@example.org")
    _, kept, _ = await run(database, "accounts", "link", "ann@example.org")
    async with service.client() as client:
        assert (await client.post(link.removeprefix("http://127.0.0.1:8080"))).headers["location"] == "/"
        assert (await client.get("/api/v1/me")).status_code == 200
        assert (await run(database, "accounts", "disable", "Ann@example.org"))[0] == 0
        assert (await client.get("/api/v1/me")).status_code == 401
        used = await client.post(spare.removeprefix("http://127.0.0.1:8080"))
        assert used.headers["location"] == "/sign-in?problem=expired"
    code, _, complaint = await run(database, "accounts", "link", "ann@example.org")
    assert (code, complaint) == (1, "The account ann@example.org is disabled.")
    assert (await run(database, "accounts", "disable", "ann@example.org"))[0] == 1
    assert (await run(database, "accounts", "enable", "ann@example.org"))[0] == 0
    assert (await run(database, "accounts", "enable", "ann@example.org"))[0] == 1
    async with service.client() as other:
        other.cookies = client.cookies
        assert (await other.get("/api/v1/me")).status_code == 401, "what was signed in before stays out"
        for old in (spare, kept):
            answer = await other.post(old.removeprefix("http://127.0.0.1:8080"))
            assert answer.headers["location"] == "/sign-in?problem=expired", "a link of before lets nobody in"
    _, link, _ = await run(database, "accounts", "link", "ann@example.org")
    async with service.client() as anew:
        assert (await anew.post(link.removeprefix("http://127.0.0.1:8080"))).headers["location"] == "/"
        assert (await anew.get("/api/v1/me")).status_code == 200
    async with database.connect() as connection:
        await connection.execute("UPDATE account SET email = 'Ann@Example.org'")
    assert (await run(database, "accounts", "add", "ann@example.org", "--role", "support"))[0] == 1
    assert (await run(database, "accounts", "disable", "ann@example.org"))[0] == 0, "also one kept as it was typed"
    done = [
        "account_added",
        "link_made",
        "link_made",
        "link_made",
        "sign_in",
        "account_disabled",
        "account_enabled",
        "link_made",
        "sign_in",
        "account_disabled",
    ]
    assert await actions(database) == done


async def test_tokens_of_agents_are_made_listed_and_revoked(database: Database) -> None:
    _, organization, _ = await run(database, "organizations", "add", "Harbour Legal")
    code, token, _ = await run(database, "agents", "add", "caldav-1", "--organization", organization)
    assert code == 0
    assert token.startswith("swa_")
    _, listed, _ = await run(database, "agents", "list")
    assert organization in listed
    assert token not in listed
    identity = listed.splitlines()[-1].split()[0]
    assert (await run(database, "agents", "revoke", identity))[0] == 0
    done = ["organization_added", "agent_token_added", "agent_tokens_listed", "agent_token_revoked"]
    assert await actions(database) == done


async def test_an_agents_name_belongs_to_one_organization_for_ever(database: Database) -> None:
    own, other = [(await run(database, "organizations", "add", name))[1] for name in ("own", "other")]
    assert (await run(database, "agents", "add", "caldav-1", "--organization", own))[0] == 0
    _, listed, _ = await run(database, "agents", "list")
    assert (await run(database, "agents", "revoke", listed.splitlines()[-1].split()[0]))[0] == 0
    async with database.connect() as connection:
        await connection.execute("INSERT INTO agent (agent_id, heard_at) VALUES ('shared', now())")
        await connection.execute("INSERT INTO agent VALUES ('heard', $1, '1', now())", own)
    for agent in ("caldav-1", "heard", "shared"):
        code, _, complaint = await run(database, "agents", "add", agent, "--organization", other)
        assert (code, complaint) == (1, f"The agent {agent} is not this organization's: give it a name of its own.")
    for agent in ("caldav-1", "heard"):
        assert (await run(database, "agents", "add", agent, "--organization", own))[0] == 0


async def test_organizations_are_added_and_listed(database: Database) -> None:
    code, identity, _ = await run(database, "organizations", "add", "Harbour Legal")
    assert code == 0
    _, listed, _ = await run(database, "organizations", "list")
    assert identity in listed
    assert "Harbour Legal" in listed
    assert (await run(database, "organizations", "add", "Twice", "--id", identity))[0] == 1
    code, _, complaint = await run(database, "organizations", "add", " harbour LEGAL ")
    assert (code, complaint.startswith(f"There is an organization called harbour LEGAL, {identity}.")) == (1, True)
    assert (await run(database, "organizations", "add", "Harbour Legal", "--id", str(uuid4())))[0] == 0
    assert await run(database, "organizations", "add", "  ") == (1, "", "An organization needs a name.")


async def test_wrong_use_says_what_is_wrong_without_a_traceback(database: Database) -> None:
    _, own, _ = await run(database, "organizations", "add", "Harbour Legal")
    nobody = str(uuid4())
    admin, user = ("--role", "organization_admin", "--organization"), ("--role", "end_user", "--organization", own)
    for arguments, said in (
        (("accounts", "add", "bob@example.org", "--role", "end_user"), "need --organization"),
        (("accounts", "add", "bob", "--role", "support"), "no e-mail address"),
        (("accounts", "add", "@", "--role", "support"), "no e-mail address"),
        (("accounts", "add", "bob@example.org", *admin, nobody), f"There is no organization {nobody}"),
        (("accounts", "add", "bob@example.org", *user, "--user", nobody), f"There is no user {nobody}"),
        (("keys", "add", "reports", *admin, nobody), f"There is no organization {nobody}"),
        (("agents", "add", "x", "--organization", nobody), f"There is no organization {nobody}"),
        (("agents", "add", "x/y", "--organization", own), "An agent's name stands behind /agents/"),
        (("agents", "add", "", "--organization", own), "An agent's name stands behind /agents/"),
        (("accounts", "link", "nobody@example.org"), "There is no account"),
        (("positions", "accept", "syncwatch.events", "7"), "There is no partition"),
    ):
        code, _, complaint = await run(database, *arguments)
        assert code == 1
        assert said in complaint
    assert await start(database, "accounts", "link", "nobody@example.org") == (
        1, "", "There is no account nobody@example.org: add it with `syncwatch accounts add`."
    )  # fmt: skip
    code, _, complaint = await start(database, "agents", "add", "x", "--organization", "nonsense")
    assert code == 2
    assert "is no id" in complaint
    code, _, complaint = await run(database, "rejects", "replay")
    assert (code, complaint.startswith("KAFKA_BOOTSTRAP is not set")) == (2, True)
    for url in ("nonsense", "postgres://[::bad", "postgresql://h:notaport/x"):
        code, _, complaint = await run(database, "accounts", "list", DATABASE_URL=url)
        assert (code, complaint.startswith("DATABASE_URL is no address of a Postgres: ")) == (2, True), url
    several = database.owner_url.replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:")
    assert (await run(database, "accounts", "list", DATABASE_URL=several))[0] == 0
    gone = database.owner_url.rpartition("/")[0] + "/nobody_made_this"
    code, _, complaint = await run(database, "accounts", "list", DATABASE_URL=gone)
    assert (code, complaint.startswith("Postgres has no such database")) == (1, True)
    code, _, complaint = await start(database, "rejects", "list", "--limit", "0")
    assert (code, "is not a number from 1" in complaint) == (2, True)
    code, _, complaint = await run(database, "accounts", "list", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert code == 1
    assert complaint.startswith("Cannot reach what is needed")


async def test_who_looks_at_a_list_is_written_down(database: Database) -> None:
    lists = {
        "organizations": "organizations", "accounts": "accounts", "agents": "agent_tokens", "keys": "keys",
        "rejects": "rejects", "positions": "positions",
    }  # fmt: skip
    assert (await run(database, "keys", "add", "reports", "--role", "support"))[0] == 0
    for kind in lists:
        assert (await run(database, kind, "list"))[0] == 0
    assert await actions(database) == ["key_added", *(f"{what}_listed" for what in lists.values())]
    async with database.connect() as connection:
        row = await connection.fetchrow("SELECT actor, after FROM audit_event WHERE action = 'keys_listed'")
    assert row["actor"].startswith("operator ")
    assert '"rows": 1' in row["after"]


@pytest.mark.parametrize("words", [(), ("accounts",), ("positions", "accept"), ("migrate",)])
def test_help_says_how(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*words, "--help"])
    assert ended.value.code == 0
    assert "usage: syncwatch" in capsys.readouterr().out


async def test_a_halt_is_lifted_by_the_operator_alone_and_audited(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(
            "INSERT INTO kafka_position (topic, partition, next_offset, last_hash, halted, halted_expected,"
            " halted_found) VALUES ('syncwatch.events', 3, 10, 77, 'gap', 10, 25),"
            " ('syncwatch.events', 4, 5, 1, NULL, NULL, NULL)"
        )
    code, told, _ = await run(database, "positions", "accept", "syncwatch.events", "3")
    assert (code, told) == (0, "syncwatch.events/3 reads on at 25, epoch 0.")
    code, _, complaint = await run(database, "positions", "accept", "syncwatch.events", "4")
    assert (code, complaint) == (1, "syncwatch.events/4 is not halted.")
    async with database.connect() as connection:
        row = await connection.fetchrow("SELECT action, object, before, after FROM audit_event")
    assert (row["action"], row["object"]) == ("position_accepted", "syncwatch.events/3")
    assert '"next_offset": 10' in row["before"]
    assert '"next_offset": 25' in row["after"]


async def test_positions_are_listed_with_what_is_lost_of_them(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(
            "INSERT INTO kafka_position (topic, partition) VALUES ('syncwatch.logs', 0), ('syncwatch.logs', 1);"
            "INSERT INTO position_gap VALUES ('syncwatch.logs', 1, 0, 10, 30, 'gap', '2026-11-20T10:00Z'),"
            " ('syncwatch.logs', 1, 1, 0, 0, 'log_made_anew', '2026-11-21T10:00Z')"
        )
    code, listed, _ = await run(database, "positions", "list")
    titles, _, whole, cut = listed.splitlines()
    assert (code, titles.split()[-3:]) == (0, ["lost", "last", "lost"])
    assert "21" not in whole
    assert cut.split()[-3:] == ["21", "2026-11-21", "10:00:00Z"]


async def test_p8_kept_rejects_are_published_again_once_byte_for_byte(database: Database, topics: Topics) -> None:
    topic = topics.name("syncwatch.events")
    headers = msgspec.msgpack.encode([("content-type", b"application/cloudevents+json")])
    async with database.connect() as connection:
        for offset, reason in ((4, "bad_json"), (9, "schema")):
            await connection.execute(
                'INSERT INTO rejected_event (topic, epoch, partition, "offset", reason, appended_at, key, headers,'
                " payload) VALUES ($1, 0, 2, $2, $3, now(), $4, $5, $6)",
                topic, offset, reason, b"user", headers, b"\x00\xff" + str(offset).encode(),
            )  # fmt: skip
    code, listed, _ = await run(database, "rejects", "list", "--reason", "schema")
    assert code == 0
    assert len(listed.splitlines()) == 3
    bootstrap = {"KAFKA_BOOTSTRAP": topics.bootstrap}
    assert (await run(database, "rejects", "replay", "--reason", "schema", **bootstrap))[:2] == (0, "1 replayed.")
    assert (await run(database, "rejects", "replay", **bootstrap))[:2] == (0, "1 replayed.")
    assert (await run(database, "rejects", "replay", **bootstrap))[:2] == (0, "0 replayed.")
    options = client_options(topics.bootstrap)
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **options) as consumer:
        records = [await asyncio.wait_for(consumer.getone(), 60) for _ in range(2)]
    assert sorted(record.value for record in records) == [b"\x00\xff4", b"\x00\xff9"]
    assert {record.headers for record in records} == {(("content-type", b"application/cloudevents+json"),)}


async def test_p8_a_replay_ends_where_every_event_is_rejected_again(database: Database, topics: Topics) -> None:
    topic = topics.name("syncwatch.events")
    columns = 'topic, epoch, partition, "offset", reason, appended_at, payload'
    async with database.connect() as connection:
        await connection.execute(
            f"INSERT INTO rejected_event ({columns}) VALUES ($1, 0, 2, 4, 'schema', now() - interval '1 hour', 'x')",
            topic,
        )
        # What a worker does that still rejects it: the event comes back further on in the log.
        await connection.execute(
            "CREATE FUNCTION rejected_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f'INSERT INTO rejected_event ({columns}) VALUES (new.topic, new.epoch, new.partition, new."offset" + 1, '
            "new.reason, clock_timestamp(), new.payload); RETURN NULL; END $$"
        )
        await connection.execute(
            "CREATE TRIGGER again AFTER UPDATE ON rejected_event FOR EACH ROW EXECUTE FUNCTION rejected_again()"
        )
    replay = run(database, "rejects", "replay", KAFKA_BOOTSTRAP=topics.bootstrap)
    assert (await asyncio.wait_for(replay, 60))[:2] == (0, "1 replayed.")
    async with database.connect() as connection:
        kept = await connection.fetch('SELECT "offset", replayed_at IS NULL AS waits FROM rejected_event ORDER BY 1')
    assert [(row["offset"], row["waits"]) for row in kept] == [(4, False), (5, True)]
