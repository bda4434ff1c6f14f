"""Shows the viewer as a web page on this machine: people on a floor, the camera's image, figures and controls.

viser serves it. The browser skins the bodies, so a frame costs a transform of each bone instead of a mesh. The mesh
is sent when a page opens and when a person's shape has changed visibly.
"""

from __future__ import annotations

import contextlib
import html
import math
import queue
import time
from collections.abc import Callable, Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import forward_kinematics
from engine.body.mesh import limited_weights
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat
from realtime.kernel.messages import Guidance
from realtime.outputs.drawing.overlay import draw_figure, fitted, in_brief
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.view.config import WebConfig
from realtime.outputs.view.scene import person_colour
from realtime.outputs.view.shown import Shown, ShownPerson
from realtime.smoothing.pose_smoother import LEVELS

Array = NDArray[np.float32]

EYE_M, LOOK_AT_M, FIELD_OF_VIEW_DEG = (1.6, 1.5, 3.4), (0.0, 0.85, 0.0), 40.0  # initial camera of a page
_FIGURES_S = 0.2  # between two updates of the figures
_SHAPE_S = 1.0  # between two updates of a person's mesh
_SHAPE_M = 0.004  # smaller vertex displacements need no new mesh
_INSET_PX = 480, 340  # width and maximum height of the camera's image
_JPEG_QUALITY = 70
_MOST_PRESSED = 8  # between two drawings; more cannot come from a person


class Page:
    """Server of the page and implementation of `realtime.outputs.view.viewer.Screen`; needs its own process.

    `on_command` gets ('record',), ('recentre',), ('next person',) and ('smoothing', LEVEL) in the thread that draws.
    Raises ImportError if viser is missing, OSError if the port is taken.
    """

    def __init__(self, body: BodyModel, config: WebConfig, on_command: Callable[..., None], smoothing: str) -> None:
        """Start the server; smoothing is the current level."""
        from realtime.outputs.view import page_server  # only this process imports viser's packages

        self._body = body
        self._on_command = on_command
        self._pressed: queue.Queue[tuple[str, ...]] = queue.Queue(_MOST_PRESSED)  # viser calls back in its own threads
        self._figures_at = -math.inf
        self._controls: dict[str, Container[object]] = {}  # names of the controls and the values that a page may set
        self._server: Any = page_server.serve(config.port, self._controls, title="tokenmocap")
        self.where = f"http://{page_server.LOOPBACK}:{self._server.get_port()}"
        self._bodies: list[_PageBody] = []  # the largest number of people so far
        self._shown: Shown | None = None
        self._set_scene()
        self._set_panel(smoothing)
        page_server.seal()

    @property
    def is_watched(self) -> bool:
        """Return whether a page is open."""
        return bool(self._server.get_clients())

    def show(self, shown: Shown) -> None:
        """Take the data to draw next."""
        self._shown = shown

    def draw(self) -> bool:
        """Send changes to the pages and forward their input. Closing a page ends nothing."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._on_command(*self._pressed.get_nowait())
        shown, self._shown = self._shown, None
        if shown is not None:
            with self._server.atomic():
                self._draw_people(shown.people)
                self._draw_panel(shown)
        return True

    def close(self) -> None:
        """Close the pages' connections and free the port."""
        self._server.stop()

    # -- the scene ---------------------------------------------------------------------------------------------------

    def _set_scene(self) -> None:
        scene = self._server.scene
        scene.set_up_direction("+y")
        scene.world_axes.visible = False
        scene.set_background_image(np.full((2, 2, 3), (24, 27, 33), np.uint8), format="png")
        scene.add_grid(
            "/floor",
            plane="xz",
            infinite_grid=True,
            cell_size=0.5,
            section_size=1.0,
            cell_color=(52, 57, 66),
            section_color=(92, 99, 112),
            fade_distance=14.0,
            fade_from="origin",
            shadow_opacity=0.5,
            plane_color=(58, 63, 72),
            plane_opacity=1.0,
        )
        camera = self._server.initial_camera
        camera.position, camera.look_at, camera.fov = EYE_M, LOOK_AT_M, math.radians(FIELD_OF_VIEW_DEG)

    def _draw_people(self, people: tuple[ShownPerson, ...]) -> None:
        shown = {person.id for person in people}
        for person in people:
            of = [body for body in self._bodies if body.person_id == person.id]
            free = [body for body in self._bodies if body.person_id not in shown]
            if not of and not free:
                of = [_PageBody(self._server.scene, self._body, f"/people/{len(self._bodies)}", person)]
                self._bodies += of
            (of or free)[0].move(person)
        for body in self._bodies:
            if body.person_id not in shown:
                body.hide()

    # -- the panel ---------------------------------------------------------------------------------------------------

    def _set_panel(self, smoothing: str) -> None:
        gui = self._server.gui
        gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False, control_width="large")
        gui.set_panel_label("tokenmocap")
        self._camera = gui.add_image(np.full((9, 16, 3), 20, np.uint8), format="jpeg", jpeg_quality=_JPEG_QUALITY)
        self._figures = gui.add_html("waiting for the first picture")
        self._smoothing = gui.add_dropdown("Smoothing", tuple(LEVELS), initial_value=smoothing)
        self._smoothing_told = smoothing
        self._record = gui.add_button("Record")
        recentre = gui.add_button("Recentre", hint="find floor and origin anew from the next pose")
        next_person = gui.add_button("Next person", hint="follow the next one in view, from left to right")

        self._controls[self._smoothing._impl.uuid] = frozenset(LEVELS)
        for button in (self._record, recentre, next_person):
            self._controls[button._impl.uuid] = {True}

        def press(*command: str) -> None:
            with contextlib.suppress(queue.Full):
                self._pressed.put_nowait(command)

        @self._smoothing.on_update
        def _(event: Any) -> None:
            if event.client is not None:  # chosen on a page, not set below
                press("smoothing", self._smoothing.value)

        self._record.on_click(lambda _: press("record"))
        recentre.on_click(lambda _: press("recentre"))
        next_person.on_click(lambda _: press("next person"))

    def _draw_panel(self, shown: Shown) -> None:
        strip, scale, offset = fitted(shown.picture_bgr, *_INSET_PX)
        picture = np.ascontiguousarray(strip[..., ::-1])
        for person in shown.people:
            if person.valid:
                for layout, points_px in person.figures:
                    draw_figure(picture, layout, points_px * scale + offset, 1.2)
        self._camera.image = picture
        if time.monotonic() - self._figures_at < _FIGURES_S:
            return
        self._figures_at = time.monotonic()
        status = shown.status
        _set(self._figures, "content", _figures(status))
        if status.smoothing != self._smoothing_told:  # otherwise this undoes a choice that is not applied yet
            _set(self._smoothing, "value", status.smoothing)
            self._smoothing_told = status.smoothing
        _set(self._record, "label", "Stop recording" if status.recording else "Record")
        _set(self._record, "color", "red" if status.recording else None)


class _PageBody:
    """Reusable mesh in the browser for one person at a time. It is never removed, because viser's page breaks then."""

    def __init__(self, scene: Any, body: BodyModel, name: str, person: ShownPerson) -> None:
        self._scene = scene
        self._body = body
        self._name = name
        self.person_id: int | None = person.id
        self._weights = limited_weights(body.weights)
        self._build(person)

    def move(self, person: ShownPerson) -> None:
        """Show this person's present pose."""
        another = person.id != self.person_id
        if (another or time.monotonic() - self._built_at > _SHAPE_S) and self._has_other_shape(person):
            self._build(person)
        self.person_id = person.id
        _set(self._mesh, "color", _rgb(person))
        _set(self._mesh, "visible", True)
        wxyz, joints = self._bones(person)
        for bone, orientation, position in zip(self._mesh.bones, wxyz, joints, strict=True):
            bone.wxyz, bone.position = orientation, position

    def hide(self) -> None:
        """Hide the mesh."""
        self.person_id = None
        _set(self._mesh, "visible", False)

    def _has_other_shape(self, person: ShownPerson) -> bool:
        grown_m = abs(person.scale - self._scale) * self._body.stature_m
        return grown_m + np.abs(self._body.shapedirs @ (person.betas - self._betas)).max() > _SHAPE_M

    def _build(self, person: ShownPerson) -> None:
        """Create the mesh in its rest pose, with bones for the browser to move."""
        self._built_at = time.monotonic()
        self._betas, self._scale = person.betas, person.scale
        self._mesh = self._scene.add_mesh_skinned(
            self._name,
            person.scale * (self._body.v_template + self._body.shapedirs @ person.betas),
            self._body.faces,
            bone_wxyzs=np.tile([1.0, 0.0, 0.0, 0.0], (len(self._body.skeleton), 1)),
            bone_positions=person.scale * self._body.rest_joints(person.betas[None])[0],
            skin_weights=self._weights,
            color=_rgb(person),
        )

    def _bones(self, person: ShownPerson) -> tuple[Array, Array]:
        """Return orientations (J, 4) wxyz and positions (J, 3) in the world."""
        skeleton, rest_joints = self._body.skeleton, self._scale * self._body.rest_joints(self._betas[None])
        rotmats, joints = forward_kinematics(person.rotmats(skeleton)[None], rest_joints, skeleton)
        return np.roll(quaternion_from_rotmat(rotmats[0]), 1, axis=1), joints[0] + person.trans


def _figures(status: LiveStatus) -> str:
    recording = '<b style="color:#f04842;float:right">● REC</b>' if status.recording else ""
    camera = f"<br>{in_brief(status.camera)}" if status.camera is not None else ""
    return (
        f'<div style="padding:0.3em 0.9em;line-height:1.5">{_guidance(status.guidance)}{recording}'
        f'<b style="font-size:1.5em">{status.fps:.0f}</b> fps &nbsp; '
        f'<b style="font-size:1.5em">{status.latency_ms:.0f}</b> ms latency<br>'
        f"{html.escape(status.source)} · {status.who}{camera}</div>"
    )


def _guidance(guidance: Guidance | None) -> str:
    """Format the calibration message, legible from across a room, above a progress bar."""
    if guidance is None:
        return ""
    colour = {"going": "#f4ba50", "done": "#60c878", "failed": "#f04842"}[guidance.state]
    return (
        f'<div style="font-size:1.9em;font-weight:600;line-height:1.25">{html.escape(guidance.text)}</div>'
        f'<div style="margin:0.5em 0;background:#343a45"><div style="height:7px;background:{colour};'
        f'width:{100 * guidance.progress:.0f}%"></div></div>'
    )


def _rgb(person: ShownPerson) -> tuple[int, ...]:
    return tuple((person_colour(person.id, person.valid) * 255).round().astype(int).tolist())


def _set(handle: Any, name: str, value: Any) -> None:
    """Set a property of an element of the page if it changes, because every setting is a message."""
    if getattr(handle, name) != value:
        setattr(handle, name, value)
