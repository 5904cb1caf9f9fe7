"""The quota of one organization: events and bytes, each with a burst on top (S22)."""

import pytest

from services.ingest.gateway.quota import Over, Quota, Rate


def test_s22_a_burst_passes_then_the_steady_rate() -> None:
    quota = Quota(events=Rate(10, 20))
    assert quota.take("a", 20, 0, 0.0) is None
    assert quota.take("a", 5, 0, 0.0) == Over("events", 1.0)
    assert quota.take("a", 15, 0, 0.0) == Over("events", 2.0)
    assert quota.take("a", 15, 0, 1.4) == Over("events", 1.0)
    assert quota.take("a", 15, 0, 1.5) is None
    assert quota.take("b", 20, 0, 1.5) is None, "another organization has its own"


def test_s22_bytes_are_counted_beside_events() -> None:
    quota = Quota(events=Rate(10, 20), size=Rate(1000, 4000))
    assert quota.take("a", 1, 4000, 0.0) is None
    assert quota.take("a", 1, 2500, 0.0) == Over("bytes", 3.0)
    assert quota.take("a", 19, 0, 0.0) is None, "what was refused for its bytes has taken no events"
    assert quota.take("a", 100, 1000, 0.0) == Over("events", 2.0), "the longer wait is told"


def test_s22_what_is_larger_than_the_burst_passes_a_full_bucket_and_is_paid_back() -> None:
    quota = Quota(size=Rate(1000, 4000))
    assert quota.take("a", 1, 8000, 0.0) is None
    assert quota.take("a", 1, 8000, 7.0) == Over("bytes", 1.0)
    assert quota.take("a", 1, 8000, 8.0) is None


@pytest.mark.parametrize("quota", [Quota(), Quota(events=Rate(0, 5), size=Rate(0, 5))])
def test_s22_a_rate_of_nothing_is_no_limit(quota: Quota) -> None:
    for _ in range(3):
        assert quota.take("a", 1_000_000, 1 << 40, 0.0) is None


def test_s22_a_long_rest_brings_no_more_than_the_burst() -> None:
    quota = Quota(events=Rate(10, 20))
    assert quota.take("a", 20, 0, 0.0) is None
    assert quota.take("a", 20, 0, 1e6) is None
    assert quota.take("a", 1, 0, 1e6) == Over("events", 1.0)
