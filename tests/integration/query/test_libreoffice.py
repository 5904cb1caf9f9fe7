"""A CSV opened by LibreOffice: the right columns, texts as texts, numbers that sum, dates that sort, accents."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.integration.query.conftest import Service
from tests.integration.query.test_csv import TEXTS, add_texts
from tests.rig.seed import Plan, organization_id, seed

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
Program = Callable[..., Path]
IMPORT = "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"
"""What its dialog proposes for a file with a byte order mark: commas, quotes, UTF-8, dates and numbers recognized."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as LibreOffice understood it: its type, its value where it is no text, and how it shows."""

    type: str
    value: str
    shown: str
    formula: str | None


async def opened(office: Path, content: bytes, folder: Path) -> list[list[Cell]]:
    """Open a CSV as its dialog proposes, and return its cells."""
    file = folder / "export.csv"
    file.write_bytes(content)
    command = [str(office), f"-env:UserInstallation=file://{folder}/profile", "--headless", "--norestore"]
    process = await asyncio.create_subprocess_exec(
        *command, f"--infilter={IMPORT}", "--convert-to", "fods", "--outdir", str(folder), str(file),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, said.decode()
    return cells_of(ElementTree.parse(folder / "export.fods"))


def cells_of(document: ElementTree.ElementTree[ElementTree.Element]) -> list[list[Cell]]:
    rows = []
    for row in document.iter(f"{TABLE}table-row"):
        cells: list[Cell] = []
        for each in row.findall(f"{TABLE}table-cell"):
            cells += [cell_of(each)] * min(int(each.get(f"{TABLE}number-columns-repeated", "1")), 64)
        while cells and not cells[-1].shown:
            cells.pop()
        if cells:
            rows.append(cells)
    return rows


def cell_of(element: ElementTree.Element) -> Cell:
    value = element.get(f"{OFFICE}value") or element.get(f"{OFFICE}date-value") or ""
    shown = "\n".join("".join(part.itertext()) for part in element.findall(f"{TEXT}p"))
    return Cell(element.get(f"{OFFICE}value-type", ""), value, shown, element.get(f"{TABLE}formula"))


async def test_c19_r12_libreoffice_sees_texts_numbers_and_dates(
    service: Service, now: datetime, program: Program, tmp_path: Path
) -> None:  # fmt: skip
    office = program("soffice", "libreoffice")
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=4, sessions=5))
    client = await service.as_key("platform_admin")
    answer = await client.get(f"/api/v1/organizations/{organization_id(0)}/sessions.csv?tz=Europe/Berlin")
    read = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    rows = await opened(office, answer.content, tmp_path)
    assert [cell.shown for cell in rows[0]] == read[0]
    assert len(rows) == len(read)
    for cells, texts in zip(rows[1:], read[1:], strict=True):
        for title, cell, text in zip(read[0], cells, texts, strict=False):
            assert cell.formula is None
            if title.startswith("Run"):
                assert (cell.type, cell.value) == ("date", text.replace(" ", "T")), title
            elif title in ("Objects", "Changes", "Failures", "Total Changes", "Issues", "Conflicts"):
                assert (cell.type, cell.value) == ("float", text), title
            elif text:
                assert cell.type == "string"
                assert cell.shown.split() == text.split(), title
    assert {row[0].shown.split()[0] for row in rows[1:]} >= {"Zoë", "Ingrid"}


async def test_c19_no_text_becomes_a_formula_in_libreoffice(
    service: Service, now: datetime, program: Program, tmp_path: Path
) -> None:  # fmt: skip
    office = program("soffice", "libreoffice")
    texts = await add_texts(service, now)
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/issues.csv?columns=object_id,error_text,times")
    rows = await opened(office, answer.content, tmp_path)
    assert len(rows) == len(texts) + 1
    for name, shown, *_ in rows[1:]:
        text = texts[name.shown]
        assert shown.formula is None
        if text in TEXTS:
            assert shown.type == "string"
            assert "".join(shown.shown.split()) == "".join(f"'{text}".split())
