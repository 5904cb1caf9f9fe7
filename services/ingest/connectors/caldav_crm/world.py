"""Who there is to synchronize: two organizations and the people in them, as data. Ids follow from the addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_DNS, UUID, uuid5

MAIL_SYSTEM: Final = "caldav"
CRM_SYSTEM: Final = "postgres_crm"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a calendar and a seat in the CRM. `login` is the account on the CalDAV server."""

    user_id: UUID
    email: str
    display_name: str
    external_id: str
    organization_id: UUID

    @property
    def login(self) -> str:
        return self.email.replace("@", ".")


@dataclass(frozen=True, slots=True)
class Organization:
    """A company with its people."""

    slug: str
    organization_id: UUID
    name: str
    people: tuple[Person, ...]


def _organization(slug: str, name: str, domain: str, names: str) -> Organization:
    organization_id = uuid5(NAMESPACE_DNS, domain)
    people = tuple(
        Person(
            user_id=uuid5(organization_id, _address(display_name, domain)),
            email=_address(display_name, domain),
            display_name=display_name,
            external_id=f"{slug[0].upper()}{number:04}",
            organization_id=organization_id,
        )
        for number, display_name in enumerate(names.split(", "), start=1)
    )
    return Organization(slug, organization_id, name, people)


def _address(display_name: str, domain: str) -> str:
    return f"{display_name.lower().replace(' ', '.')}@{domain}"


ORGANIZATIONS: Final = (
    _organization(
        "northwind",
        "Northwind Traders",
        "northwind.example",
        "Anna Berg, Bruno Costa, Carla Diaz, David Evans, Elena Fischer, Felix Gruber, Grace Huang, Hugo Ivanov, "
        "Ines Jansen, Jonas Keller",
    ),
    _organization(
        "harbour",
        "Harbour Legal",
        "harbour.example",
        "Karin Lund, Liam Murphy, Maya Nair, Noah Okafor, Olga Petrova, Pablo Quinn, Rosa Silva, Samuel Tanaka, "
        "Tessa Unger, Viktor Weiss",
    ),
)


def organization(slug: str) -> Organization:
    """Return the organization named `slug`; raises ValueError that names those there are."""
    for each in ORGANIZATIONS:
        if each.slug == slug:
            return each
    raise ValueError(f"there are {', '.join(each.slug for each in ORGANIZATIONS)}")


def everybody() -> tuple[Person, ...]:
    """Return the people of all organizations."""
    return tuple(person for each in ORGANIZATIONS for person in each.people)
