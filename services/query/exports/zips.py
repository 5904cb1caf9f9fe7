"""Logs as a zip: one text file a session, streamed chunk by chunk, and a manifest of parts, gaps and drops."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from schemas.keys import Key, session_key
from schemas.sql import named_queries
from services.query.controls import written_out
from services.query.exports.packed import PackedLines
from services.query.exports.sink import PIECE, Download, Meta, Sink
from services.query.freshness import freshness_of
from services.query.logs import Gap, all_gaps, is_past, lines_of
from services.query.masking import Names, mask_line
from services.query.names import names_of_session
from services.query.nouns import times
from services.query.principal import Principal
from services.query.rows import json_ready
from services.query.scope import ensure, ensure_own, scope_of
from services.query.services import Services

_SQL: Final = named_queries("exports")
_CHUNKS: Final = named_queries("details")["log_chunks"]
_LEVEL: Final = 4  # of deflate: logs shrink nearly as much as at 6, in half the time
_AWAKE_S: Final = 2.0
"""With the longest time that a piece may take, less than Postgres leaves a transaction idle in exports (35 s)."""
_LINE_ENDS: Final = "\n\r\u2028\u2029"


@dataclass(frozen=True, slots=True)
class Archive:
    """Whose logs, of sessions started in [since, until); one session where `session` is given."""

    organization_id: UUID | None = None
    user_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    session: Key | None = None


class _Pieces:
    """An unseekable file that zipfile writes to; what was written is taken out and sent."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        data = bytes(self._written)
        self._written.clear()
        return data


def entry_name(started_at: datetime, session_id: UUID) -> str:
    """Return a session's file name: made by us, safe on every system, unique."""
    return f"{started_at.astimezone(UTC):%Y%m%dT%H%M%SZ}_{session_id}.log"


def zip_download(services: Services, principal: Principal, archive: Archive) -> Download:
    """Return the answer that streams the logs of a session, a user or an organization."""
    stamp = services.now().strftime("%Y%m%dT%H%M%SZ")
    what = "session" if archive.session else "user" if archive.user_id else "organization"
    span = {name: getattr(archive, name).isoformat() for name in ("since", "until") if getattr(archive, name)}
    whose = {"user": str(archive.user_id)} if archive.user_id else {}
    meta = Meta(
        list=f"{what}_logs",
        query="&".join(f"{name}={value}" for name, value in (span | whose).items()),
        organization_id=archive.organization_id,
        action="logs_downloaded",
        file_name=f"syncwatch-{what}-logs-{stamp}.zip",
        media_type="application/zip",
    )

    async def produce(sink: Sink) -> None:
        await _archive(services, principal, archive, sink)

    return Download(services, principal, meta, produce)


async def _archive(services: Services, principal: Principal, archive: Archive, sink: Sink) -> None:
    scope = scope_of(principal, archive.organization_id, archive.user_id)
    async with services.exporting(scope) as connection:
        if archive.session is not None:
            row = await connection.fetchrow(_SQL["one_session"], *archive.session)
            ensure_own(principal, row)
            archive = replace(archive, organization_id=row["organization_id"], user_id=row["user_id"])
        else:
            await ensure(connection, scope)
        fresh = await freshness_of(connection, services.now())
        await sink.begin(fresh.as_of, archive.organization_id)
        masked = principal.masks_names(services.now())
        await _Writer(connection, archive, sink, services.now(), fresh.as_of, masked).write()
    await sink.finish()


class _Writer:
    """Writes one archive; the manifest comes last, when everything is known."""

    def __init__(
        self, connection: Any, archive: Archive, sink: Sink, now: datetime, as_of: datetime | None, masked: bool
    ) -> None:  # fmt: skip
        self._connection, self._archive, self._sink, self._now, self._as_of = connection, archive, sink, now, as_of
        self._masked = masked
        self._pieces = _Pieces()
        self._zip = zipfile.ZipFile(self._pieces, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)  # type: ignore[call-overload]
        self._sessions = PackedLines()
        self._asked = time.monotonic()
        self._totals = {
            "lines": 0,
            "missing_chunks": 0,
            "dropped_lines": 0,
            "chunks_dropped": 0,
            "redactions": 0,
            "past": 0,
        }

    async def write(self) -> None:
        async for session in self._connection.cursor(*self._query(), prefetch=200):
            await self._session(session)
        await self._manifest()
        self._zip.close()
        await self._drain()

    def _query(self) -> tuple[Any, ...]:
        archive = self._archive
        if archive.session is not None:
            return _SQL["one_session"], *archive.session
        span = (archive.organization_id, archive.since, archive.until)
        if archive.user_id is not None:
            return _SQL["sessions_of_user"], *span, archive.user_id
        return _SQL["sessions_of_organization"], *span

    async def _session(self, session: Mapping[str, Any]) -> None:
        """Write a session's file, if anything of its log is here, and its line of the manifest."""
        name = entry_name(session["started_at"], session["session_id"])
        seen: list[dict[str, Any]] = []
        entry: Any = None
        key = session["started_at"], session["session_id"]
        names = await names_of_session(self._connection, key) if self._masked else None
        chunks = self._connection.cursor(_CHUNKS, *key, prefetch=16)
        async for chunk in chunks:
            if entry is None:
                entry = self._zip.open(_info(name, session["started_at"]), "w", force_zip64=True)
            entry.write(_chunk_text(chunk, seen[-1] if seen else None, names))
            seen.append({key: value for key, value in chunk.items() if key != "body"})
            await self._drain()
        gaps = all_gaps(session, seen, self._now)
        if entry is not None:
            entry.write(_tail_text(gaps))
            entry.close()
            await self._drain()
        if seen or session["log_chunks_sent"] or session["log_chunks_dropped"]:
            self._note(session, name if entry is not None else None, seen, gaps)

    def _note(
        self, session: Mapping[str, Any], name: str | None, chunks: Sequence[Mapping[str, Any]], gaps: Sequence[Gap]
    ) -> None:  # fmt: skip
        counted = {
            "lines": sum(chunk["line_count"] for chunk in chunks),
            "missing_chunks": sum(gap.chunks for gap in gaps),
            "dropped_lines": sum(chunk["dropped_lines"] for chunk in chunks),
            "chunks_dropped": session["log_chunks_dropped"],
            "redactions": sum(chunk["redactions"] for chunk in chunks),
            "past": is_past(session, chunks, self._now),
        }
        for key, value in counted.items():
            self._totals[key] += value
        parts = [{key: chunk[key] for key in ("attempt", "chunk_no", "first_line", "line_count")} for chunk in chunks]
        self._sink.rows += 1
        self._sessions.add(
            orjson.dumps(
                {
                    "entry": name,
                    "key": session_key(session["started_at"], session["session_id"]),
                    "session_id": session["session_id"],
                    "user_id": session["user_id"],
                    "started_at": session["started_at"],
                    "status": session["status"],
                    "attempt": session["attempt"],
                    "chunks_sent": session["log_chunks_sent"],
                    "parts": parts,
                    "gaps": [asdict(gap) for gap in gaps],
                    "complete": _is_complete(counted),
                    **counted,
                },
                json_ready,
            )
        )

    async def _manifest(self) -> None:
        archive = self._archive
        head = {
            "made_at": self._now,
            "as_of": self._as_of,
            "organization_id": archive.organization_id,
            "user_id": archive.user_id,
            "since": archive.since,
            "until": archive.until,
            "names_masked": self._masked,
            "sessions": self._sessions.count,
            "totals": self._totals,
            "complete": _is_complete(self._totals),
        }
        with self._zip.open(_info("manifest.json", self._now), "w", force_zip64=True) as entry:
            entry.write(orjson.dumps(head, json_ready, option=orjson.OPT_INDENT_2)[:-2] + b',\n  "logs": [\n')
            for piece in self._sessions.members():
                entry.write(piece)
                await self._drain()
            entry.write(b"\n  ]\n}\n")

    async def _drain(self) -> None:
        """Send what was written; while a client takes it slowly, keep Postgres from ending an idle transaction."""
        data = self._pieces.taken()
        for at in range(0, len(data), PIECE):
            await self._sink.write(data[at : at + PIECE])
            if time.monotonic() - self._asked > _AWAKE_S:
                await self._connection.execute("SELECT")
                self._asked = time.monotonic()


def _is_complete(counted: Mapping[str, int]) -> bool:
    """Whether all that was logged is here; `past`: kept no longer."""
    return not any(counted[key] for key in ("missing_chunks", "dropped_lines", "chunks_dropped", "past"))


def _info(name: str, at: datetime) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, max(at.astimezone(UTC), datetime(1980, 1, 1, tzinfo=UTC)).timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _chunk_text(chunk: Mapping[str, Any], before: Mapping[str, Any] | None, names: Names | None) -> bytes:
    """Return the lines of a chunk as text, with a mark where an attempt begins or parts before it are missing.

    `names`: those to be masked in them, None where none is.
    """
    lines = []
    new_attempt = before is None or before["attempt"] != chunk["attempt"]
    if new_attempt:
        lines.append(f"==== attempt {chunk['attempt']} ====")
    expected = 0 if new_attempt or before is None else before["chunk_no"] + 1
    if chunk["chunk_no"] > expected:
        lines.append(_missing(chunk["chunk_no"] - expected))
    if chunk["dropped_lines"]:
        lines.append(f"---- {times(chunk['dropped_lines'], 'line was', 'lines were')} dropped by the agent ----")
    lines += [line_text(line if names is None else mask_line(line, names)) for line in lines_of(chunk["body"])]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _missing(chunks: int) -> str:
    return f"---- {times(chunks, 'part')} of the log did not arrive ----"


def _tail_text(gaps: Sequence[Gap]) -> bytes:
    return "".join(_missing(gap.chunks) + "\n" for gap in gaps if gap.before_line is None).encode()


def line_text(line: Mapping[str, Any]) -> str:
    """Return one line as text; what has lines of its own is indented, so that nothing sent looks like another line.

    Control characters are written out: a terminal that shows the file obeys none.
    """
    level, source = str(line.get("level", "info")).upper(), line.get("source", "agent")
    text = f"{line.get('at', '')} {level:<7} {source:<6} {line.get('message', '')}"
    if line.get("exception"):
        text += f"\n{line['exception']}"
    return "\n    ".join(written_out(text, keep="\t" + _LINE_ENDS).splitlines())
