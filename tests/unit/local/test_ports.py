import socket
from pathlib import Path

import pytest

from deploy.local.ports import HOST, Ports, any_free
from deploy.local.refusals import BadInput


def test_a_usual_port_that_is_taken_gives_a_free_one_that_is_then_kept(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        port = Ports(tmp_path / "ports.json").take("panel", taken)
        assert port != taken
    assert Ports(tmp_path / "ports.json").take("panel", taken) == port


def test_a_port_that_the_user_named_and_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(BadInput, match=f"PORT={taken} cannot be used: something else listens"):
            Ports(tmp_path / "ports.json").take("panel", 8080, named=taken)


def test_a_port_that_the_user_named_once_is_not_kept(tmp_path: Path) -> None:
    named, usual = any_free(), any_free()
    assert Ports(tmp_path / "ports.json").take("panel", usual, named=named) == named
    assert Ports(tmp_path / "ports.json").take("panel", usual) == usual


def test_no_port_is_given_twice(tmp_path: Path) -> None:
    ports, usual = Ports(tmp_path / "ports.json"), any_free()
    assert ports.take("panel", usual) == usual
    assert ports.take("gateway", usual) != usual
