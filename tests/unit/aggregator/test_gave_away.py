"""What a worker shows of partitions that are another's now."""

from services.aggregator import metrics


def test_a_partition_given_away_leaves_no_lag_and_no_halt_behind() -> None:
    partition = ("given-away.events", 3)
    metrics.LAG.labels("group", partition[0], "3").set(500)
    metrics.Watcher().halted(partition, is_halted=True)
    metrics.gave_away("group", partition)
    labels = {"topic": partition[0], "partition": "3"}
    lag = {"consumergroup": "group", **labels}
    assert metrics.REGISTRY.get_sample_value("kafka_consumergroup_lag", lag) == 0
    assert metrics.REGISTRY.get_sample_value("syncwatch_partition_halted", labels) == 0
