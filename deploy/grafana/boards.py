"""What a dashboard is made of, as data: rows of charts, each with a unit and its queries. `generate.py` draws them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One PromQL expression and what its series are called in the legend."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One panel. `unit` is Grafana's id of a unit; width is in 24ths of the page."""

    title: str
    what: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["lines", "stack", "figure"] = "lines"
    width: int = 8
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Charts under one heading."""

    title: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    what: str
    rows: tuple[Row, ...]


def one(expr: str, legend: str) -> tuple[Query, ...]:
    return (Query(expr=expr, legend=legend),)


def quantiles(metric: str, by: str = "") -> tuple[Query, ...]:
    """Return the median and the 99th percentile of a histogram."""
    labels = ", ".join(filter(None, ("le", by)))
    suffix = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(
            expr=f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))",
            legend=name + suffix,
        )
        for share, name in ((0.5, "median"), (0.99, "p99"))
    )
