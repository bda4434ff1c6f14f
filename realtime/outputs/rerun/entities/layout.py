"""Arranges what is shown when a recording is opened: Rerun calls it a blueprint."""

from __future__ import annotations

import rerun.blueprint as rrb

from realtime.outputs.rerun.entities.canvas import TIMELINE
from realtime.outputs.rerun.moment import Subject

_EYE_M, _TARGET_M = (1.4, 1.7, 3.6), (0.0, 0.9, 0.0)


def layout_of(subject: Subject) -> rrb.Blueprint:
    """Show the world on the left; the camera's image, expressions and curves on the right."""
    world = rrb.Spatial3DView(
        name="World",
        origin="/world",
        eye_controls=rrb.EyeControls3D(position=_EYE_M, look_target=_TARGET_M, eye_up=(0, 1, 0)),
        line_grid=rrb.LineGrid3D(visible=True, spacing=1.0),
    )
    curves = {"speed_m_s": "Speed (m/s)", "contacts": "Contacts of heels and toes", "confidence": "Confidence"}
    if subject.live:
        curves["latency_ms"] = "Latency (ms)"
    plots = [rrb.TimeSeriesView(name=name, origin=f"/curves/{path}") for path, name in curves.items()]
    rows: list[tuple[rrb.View | rrb.Container, int]] = [(rrb.Grid(*plots, grid_columns=2 + len(plots) % 2), 2)]
    if subject.faces:
        rows.insert(0, (rrb.BarChartView(name="Expression", origin="/face"), 1))
    if subject.pictures:
        rows.insert(0, (rrb.Spatial2DView(name="Camera", origin="/world/camera"), 4))
    right = rrb.Vertical(*(view for view, _ in rows), row_shares=[share for _, share in rows])
    return rrb.Blueprint(
        rrb.Horizontal(world, right),
        rrb.TimePanel(timeline=TIMELINE, state="collapsed"),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        auto_layout=False,
        auto_views=False,
    )
