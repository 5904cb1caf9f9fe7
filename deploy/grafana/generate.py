"""Draws the dashboards: `python -m deploy.grafana.generate` writes `dashboards/*.json`. Edit the boards, not those."""

import json
from itertools import count
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    VariableRefresh,
)

from deploy.grafana.boards import Board, Chart
from deploy.grafana.pipeline import PIPELINE
from deploy.grafana.syncs import ACCENT, SYNCS

BOARDS: Final = (SYNCS, PIPELINE)
FOLDER: Final = Path(__file__).with_name("dashboards")
# Chosen on the page, so that the dashboards fit any Grafana: no data source has a fixed uid.
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS: Final = {"figure": 4, "lines": 8, "stack": 8}


def targets(chart: Chart) -> list[prometheus.Dataquery]:
    """Return the chart's queries, named A, B, …"""
    return [
        prometheus.Dataquery().ref_id(chr(ord("A") + number)).expr(query.expr).legend_format(query.legend)
        for number, query in enumerate(chart.queries)
    ]


def dress(panel: stat.Panel | timeseries.Panel, chart: Chart) -> None:
    """Give `panel` what every kind of chart has."""
    panel.title(chart.title).description(chart.what).unit(chart.unit).datasource(SOURCE)
    panel.height(HEIGHTS[chart.kind]).span(chart.width).min(0)
    panel.targets(list(targets(chart)))
    for series, colour in chart.colours.items():
        panel.override_by_name(series, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])


def figure(chart: Chart) -> stat.Panel:
    """Return one number with its recent course."""
    panel = stat.Panel()
    dress(panel, chart)
    panel.color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.AREA)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(ACCENT))


def lines(chart: Chart) -> timeseries.Panel:
    """Return a chart over time, stacked if it says so."""
    panel = timeseries.Panel()
    dress(panel, chart)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    panel.line_width(1).span_nulls(False)
    if chart.kind == "stack":
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A")).fill_opacity(60)
    return panel


def variables(board: Board) -> list[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    """Return what can be chosen on the page: the data source, and what the board's queries ask for."""
    chosen: list[dashboard.DatasourceVariable | dashboard.QueryVariable] = [
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    ]
    if any("$mail_system" in query.expr for row in board.rows for chart in row.charts for query in chart.queries):
        chosen.append(
            dashboard.QueryVariable("mail_system")
            .label("Mail system")
            .datasource(SOURCE)
            .query("label_values(syncwatch_sessions_ended_total, mail_system)")
            .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    return chosen


def draw(board: Board) -> str:
    """Return `board` as Grafana's JSON: the same text every time."""
    page = dashboard.Dashboard(board.title).uid(board.uid).description(board.what).tags(["syncwatch"])
    page.time("now-6h", "now").refresh("30s").timezone("browser").readonly()
    page.variables(list(variables(board)))
    numbers = count(1)
    for row in board.rows:
        page.with_row(dashboard.Row(row.title).id(next(numbers)))
        for chart in row.charts:
            panel = figure(chart) if chart.kind == "figure" else lines(chart)
            page.with_panel(panel.id(next(numbers)))
    return json.dumps(page.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(draw(board), encoding="utf-8")


if __name__ == "__main__":
    main()
