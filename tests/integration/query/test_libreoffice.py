"""A CSV opened by LibreOffice: the right columns, texts as texts, numbers that sum, dates that sort, accents."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from schemas.columns import LISTS, Type
from tests.integration.query.conftest import Service
from tests.integration.query.test_csv import TEXTS, add_texts
from tests.rig.seed import Plan, organization_id, seed, user_id

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
VALUES = (f"{OFFICE}value", f"{OFFICE}date-value", f"{OFFICE}boolean-value")
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


EMPTY = Cell("", "", "", None)


async def opened(office: Path, contents: Mapping[str, bytes], folder: Path) -> dict[str, list[list[Cell]]]:
    """Open CSVs as its dialog proposes, all at once, and return the cells of each."""
    files = {name: folder / f"{name}.csv" for name in contents}
    for name, content in contents.items():
        files[name].write_bytes(content)
    command = [str(office), f"-env:UserInstallation=file://{folder}/profile", "--headless", "--norestore"]
    process = await asyncio.create_subprocess_exec(
        *command, f"--infilter={IMPORT}", "--convert-to", "fods", "--outdir", str(folder), *map(str, files.values()),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, said.decode()
    return {name: cells_of(ElementTree.parse(folder / f"{name}.fods")) for name in files}


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
    value = next((element.attrib[name] for name in VALUES if name in element.attrib), "")
    shown = "\n".join("".join(part.itertext()) for part in element.findall(f"{TEXT}p"))
    return Cell(element.get(f"{OFFICE}value-type", ""), value, shown, element.get(f"{TABLE}formula"))


async def test_c19_r12_r18_r24_libreoffice_sees_texts_numbers_and_dates_in_the_file_of_every_list(
    service: Service, now: datetime, program: Program, tmp_path: Path
) -> None:  # fmt: skip
    office = program("soffice", "libreoffice")
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=4, users=5, sessions=5))
    client = await service.as_key("platform_admin")
    one, user = f"/organizations/{organization_id(0)}", f"/users/{organization_id(0)}/{user_id(0, 1)}"
    paths = {
        "organizations": "/organizations", "users": "/users", "organization_users": f"{one}/users",
        "sessions": "/sessions", "statistics": f"{one}/sessions", "user_sessions": f"{user}/sessions",
        "issues": "/issues", "organization_issues": f"{one}/issues", "user_issues": f"{user}/issues",
    }  # fmt: skip
    assert paths.keys() == LISTS.keys()
    files = {}
    for name, path in paths.items():
        columns = ",".join(column.name for column in LISTS[name].columns)
        answer = await client.get(f"/api/v1{path}.csv?tz=Europe/Berlin&columns={columns}")
        files[name] = answer.raise_for_status().content
    opened_ = await opened(office, files, tmp_path)
    for name, content in files.items():
        titles, *lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        head, *rows = opened_[name]
        assert [cell.shown for cell in head] == titles, name
        assert len(rows) == len(lines) > 0, name
        types = {column.heading: column.type for column in LISTS[name].columns}
        for cells, texts in zip(rows, lines, strict=True):
            for title, text, cell in zip(titles, texts, [*cells, *[EMPTY] * len(titles)], strict=False):
                kind = types[title.removesuffix(" (Europe/Berlin)").removesuffix(", end")]
                assert cell.formula is None
                assert said(cell) == wanted(kind, text), (name, title, text)
    assert {row[0].shown.split()[0] for row in opened_["statistics"][1:]} >= {"Zoë", "Ingrid"}


def said(cell: Cell) -> tuple[str, str | float]:
    """Return the type of a cell and its value; of a text what it shows, however its lines are broken."""
    if cell.type == "float":
        return "float", float(cell.value)
    return cell.type, cell.value or " ".join(cell.shown.split())


def wanted(kind: Type, text: str) -> tuple[str, str | float]:
    """Return the type and value that a spreadsheet should see in a text of a CSV."""
    if not text:
        return "", ""
    match kind:
        case Type.TIME | Type.PERIOD:
            return "date", text.replace(" ", "T")
        case Type.NUMBER | Type.SHARE | Type.SECONDS:
            return "float", float(text)
        case Type.BOOLEAN:
            return "boolean", text.lower()
        case Type.TEXT if text.isdecimal():
            return "float", float(text)  # an error's own code, such as 401: no file can tell it from a number
        case _:
            return "string", " ".join(text.split())


async def test_c19_no_text_becomes_a_formula_in_libreoffice(
    service: Service, now: datetime, program: Program, tmp_path: Path
) -> None:  # fmt: skip
    office = program("soffice", "libreoffice")
    texts = await add_texts(service, now)
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/issues.csv?columns=object_id,error_text,times")
    rows = (await opened(office, {"issues": answer.content}, tmp_path))["issues"]
    assert len(rows) == len(texts) + 1
    for name, shown, *_ in rows[1:]:
        text = texts[name.shown]
        assert shown.formula is None
        if text in TEXTS:
            assert shown.type == "string"
            assert "".join(shown.shown.split()) == "".join(f"'{text}".split())
