"""What appointments are about: subjects, places and times, drawn from a random generator that the caller seeds."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Final

from services.ingest.connectors.caldav_crm.appointments import Appointment
from services.ingest.connectors.caldav_crm.world import Person

CUSTOMERS: Final = {
    "Alder Foods": ("Petra Alder", "Jan Brook"),
    "Blue Ridge Paper": ("Susan Ridge", "Omar Field"),
    "Cedar Freight": ("Nina Cedar", "Paul Harbor"),
    "Dune Hotels": ("Iris Dune", "Marc Shore"),
    "Elm Street Clinic": ("Laura Elm", "Tom Street"),
}
_SUBJECTS: Final = (
    "Quarterly review with {}",
    "Contract renewal, {}",
    "First call with {}",
    "Price list for {}",
    "Site visit at {}",
    "Demo for {}",
    "Support hand-over, {}",
    "Lunch with {}",
)
_PLACES: Final = ("Room Oak", "Room Pine", "Video call", "At the customer's", "Lobby", "Phone")
_HOURS: Final = (8, 10, 13, 15)


def appointment(person: Person, slot: int, first_day: datetime, rng: Random) -> Appointment:
    """Make up the appointment of one slot: four a day from `first_day` on, an hour each, so that slots never meet."""
    day, quarter = divmod(slot, len(_HOURS))
    starts_at = datetime.combine(first_day.date() + timedelta(days=day), time(_HOURS[quarter]), UTC)
    return Appointment(
        uid=f"{person.external_id}-{slot}-{rng.getrandbits(32):08x}",
        subject=rng.choice(_SUBJECTS).format(rng.choice(list(CUSTOMERS))),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        location=rng.choice(_PLACES),
    )


def another_place(location: str, rng: Random) -> str:
    """Return a place that is not `location`."""
    return rng.choice([place for place in _PLACES if place != location])
