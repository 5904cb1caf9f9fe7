from deploy.local.once import Count, report


def test_equal_counts_are_told_as_equal() -> None:
    lines = report([Count("sessions", 60, 60)], rejected=0, by_status={"finished": 50, "errors": 10})
    assert lines == [
        "sessions     published       60 = applied       60",
        "outcomes     10 errors, 50 finished",
        "published = applied",
    ]


def test_one_count_that_differs_is_the_verdict_and_rejects_are_named() -> None:
    lines = report([Count("sessions", 60, 60), Count("issues", 7, 6)], rejected=1, by_status={})
    assert lines[1] == "issues       published        7 ≠ applied        6"
    assert lines[-2:] == ["rejected     1 (see: syncwatch rejects list)", "published ≠ applied"]
