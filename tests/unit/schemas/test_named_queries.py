"""SQL in files: what statements have in common stands once."""

from importlib.resources import files

from schemas.sql import named_queries

AREAS = sorted(path.name[:-4] for path in files("schemas.sql").iterdir() if path.name.endswith(".sql"))


def test_a_fragment_stands_in_each_statement_that_names_it() -> None:
    queries = named_queries("status")
    assert "AS counted_from" in queries["facts"]
    assert all(queries[name].count("AS counted_from") == 1 for name in ("read_users", "facts_of_user"))
    assert "-- A fragment" not in queries["read_users"]


def test_no_statement_is_left_with_a_fragment_to_be_put_in() -> None:
    assert {"sessions", "status", "lists"} <= set(AREAS)
    left = [name for area in AREAS for name, statement in named_queries(area).items() if "/*" in statement]
    assert left == []
