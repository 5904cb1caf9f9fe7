import json
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry, Counter

from services.common.health import Health, HealthServer, serve


def answer(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_ready_names_every_failed_check_and_alive_does_not_care() -> None:
    health = Health("kafka", "postgres")
    with serve(0, CollectorRegistry(), health) as server:
        assert answer(server, "/ready")[0] == 503
        health.set("kafka", "no broker answers")
        health.set("postgres", None)
        status, body = answer(server, "/ready")
        assert (status, json.loads(body)["problems"]) == (503, {"kafka": "no broker answers"})
        assert answer(server, "/alive")[0] == 200
        health.set("kafka", None)
        assert answer(server, "/ready") == (200, '{"ready":true,"problems":{}}')


def test_metrics_are_those_of_the_registry_given() -> None:
    registry = CollectorRegistry()
    Counter("syncwatch_example", "An example.", registry=registry).inc(3)
    with serve(0, registry, Health()) as server:
        status, body = answer(server, "/metrics")
    assert status == 200
    assert "syncwatch_example_total 3.0" in body


def test_another_path_is_a_404() -> None:
    with serve(0, CollectorRegistry(), Health()) as server:
        assert answer(server, "/nothing")[0] == 404
