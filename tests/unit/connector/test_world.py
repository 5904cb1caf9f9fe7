from __future__ import annotations

import pytest

from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, everybody, organization


def test_two_organizations_twenty_people_and_no_id_twice() -> None:
    assert [each.name for each in ORGANIZATIONS] == ["Northwind Traders", "Harbour Legal"]
    for field in ("user_id", "email", "login", "external_id"):
        assert len({getattr(person, field) for person in everybody()}) == 20


def test_ids_never_change() -> None:
    assert str(organization("northwind").organization_id) == "8cb7868a-71e7-5e04-918b-4d0d240f944a"
    assert str(organization("harbour").organization_id) == "b27b4530-b22b-536a-b150-1b793f47134e"


def test_an_unknown_organization_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="northwind, harbour"):
        organization("elsewhere")
