"""A name of which nothing is seen is none: what has no name is shown by its address, else by its id."""

from __future__ import annotations

from uuid import uuid4

from schemas.kinds import DirectoryData
from tests.integration.aggregator.conftest import Stored, stored  # noqa: F401  # a fixture
from tests.integration.query.conftest import Service
from tests.rig.stream import through_the_wire


async def test_who_has_a_blank_name_is_shown_by_address_or_id(stored: Stored, service: Service) -> None:  # noqa: F811
    organization, addressed, nobody = uuid4(), uuid4(), uuid4()
    for data in (
        DirectoryData(organization_id=organization, kind="organization", revision=1, name="\u2060 \u200b"),  # type: ignore[arg-type]
        DirectoryData(
            organization_id=organization, user_id=addressed, kind="user", revision=1, display_name="\t\u2003",  # type: ignore[arg-type]
            email="ann@example.org",
        ),
        DirectoryData(
            organization_id=organization, user_id=nobody, kind="user", revision=1, display_name="", email=" ",  # type: ignore[arg-type]
        ),
    ):  # fmt: skip
        stored.log.append(through_the_wire(data))
    await stored.apply()
    async with await service.as_person("support") as person:
        listed = (await person.get("/api/v1/users?columns=user,organization")).json()["rows"]
        assert {row["user"] for row in listed} == {"ann@example.org", str(nobody)}
        assert {row["organization"] for row in listed} == {str(organization)}
        for user_id, name in ((addressed, "ann@example.org"), (nobody, str(nobody))):
            found = (await person.get(f"/api/v1/users/{organization}/{user_id}")).json()
            assert (found["name"], found["organization"]) == (name, str(organization))
            page = await person.get(f"/users/{organization}/{user_id}/issues")
            assert page.status_code == 200
            assert f"\u2068{name}\u2069 sees the same issues in the User Dashboard" in page.text
