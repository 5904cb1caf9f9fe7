"""What a new Kafka is made with."""

import base64

import pytest

from deploy.local.kafka import cluster_id


@pytest.mark.parametrize("first", [0x00, 0x41, 0xF8, 0xFB, 0xFF])
def test_an_id_of_a_cluster_is_no_option_of_a_command(first: int) -> None:
    made = cluster_id(bytes([first]) + b"\xfb" * 15)
    assert not made.startswith("-")
    assert len(base64.urlsafe_b64decode(made + "==")) == 16


def test_ids_of_clusters_differ() -> None:
    assert cluster_id(b"\xff" * 15 + b"\x01") != cluster_id(b"\xff" * 15 + b"\x02")
