"""The gateway's verdicts: what they are counted as."""

from __future__ import annotations

import pytest

from services.ingest.gateway.validate import label_of


@pytest.mark.parametrize(
    ("type_name", "label"),
    [
        ("syncwatch.issue.v1", "issue"),
        ("syncwatch.issue.v2", "issue"),
        ("syncwatch.tick.v1", "other"),
        ("com.example.issue", "other"),
        ("", "other"),
    ],
)
def test_an_event_counts_under_a_closed_list_of_labels(type_name: str, label: str) -> None:
    assert label_of(type_name) == label
