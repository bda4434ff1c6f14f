"""Shows the viewer's window with Open3D's OpenGL: people in the studio of `scene`, with cards of `overlay` on top.

Meshes without normals keep their own colours and textures in Open3D, so `scene` does the lighting and flat cards are
exact. The world moves under a fixed view, so Open3D's own mouse handling orbits, pans and zooms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from realtime.outputs.drawing.overlay import (
    Picture,
    Writer,
    draw_figure,
    fitted,
    guidance_card,
    keys_card,
    status_card,
)
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.view.bodies import LitBody, coarse, in_full
from realtime.outputs.view.config import ViewerConfig
from realtime.outputs.view.scene import BACKGROUND, Floor, Follow
from realtime.outputs.view.shown import Shown
from realtime.outputs.view.window_view import WindowView, rounded_outline

Array = NDArray[np.float32]

FIELD_OF_VIEW_DEG = 35.0  # vertical
EYE = np.array([0.85, 1.35, 3.75])  # metres from the followed point on the floor
LOOK_AT = np.array([0.0, 0.88, 0.0])
_EXTENT_M = 2.0  # Open3D's unit of zoom
_CARD_DEPTH_M = 0.06
_NEAR_M, _FAR_M = 0.05, 40.0


class Window:
    """Open window; all calls must come from the thread that made it.

    `on_key` gets 'record', 'recentre' and 'next person' when those keys are pressed; the other keys act here.
    Raises ImportError or OSError if open3d cannot load, RuntimeError if no window opens.
    """

    where = ""
    is_watched = True

    def __init__(
        self,
        body: BodyModel,
        config: ViewerConfig,
        on_key: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import open3d as o3d

        self._o3d: Any = o3d
        self._body = body
        self._on_key = on_key
        self._clock = clock
        self._drawn_at = clock()
        self._writer = Writer()
        self._full = LitBody(body)
        self._drawn_in_full: list[bool] = []  # of each body, in the order of the mesh
        self._floor = Floor()
        self._follow = Follow()
        self._shown: Shown | None = None
        self._view: WindowView | None = None
        self._stale = True
        self._guides = False  # a calibration message is visible
        self._mirror, self._held, self._show_keys = config.mirror, False, config.show_keys

        o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)
        self._vis = o3d.visualization.VisualizerWithKeyCallback()
        if not self._vis.create_window("tokenmocap", config.width, config.height):
            raise RuntimeError("the window could not open: OpenGL 3.3 is needed")
        options = self._vis.get_render_option()
        options.background_color = BACKGROUND.astype(float)
        options.mesh_show_back_face = True
        options.mesh_color_option = o3d.visualization.MeshColorOption.Color
        self._set_keys()
        self._add_meshes()
        self.reset_view()

    # -- what the outside does ---------------------------------------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """Take the data to draw next; while the image is frozen only the figures are updated."""
        if self._held and self._shown is not None:
            shown = replace(self._shown, status=shown.status)
        self._shown = shown
        self._stale = True

    def draw(self) -> bool:
        """Handle the window's events and draw changes. Return False once the window was closed."""
        now = self._clock()
        dt_s, self._drawn_at = now - self._drawn_at, now
        people = self._shown.people if self._shown else ()
        pelvises = np.array([p.trans for p in people if p.valid], np.float32).reshape(-1, 3)
        moved = self._follow.step(pelvises, dt_s)
        view = self.view()
        turned = not view.same_as(self._view)
        if self._stale or moved or turned:
            self._view = view
            self._draw_people(view)
            self._draw_floor()
            self._draw_cards(view)
            self._stale = False
            self._vis.update_renderer()
        return bool(self._vis.poll_events())

    def picture(self) -> Picture:
        """Return an image of the window, (H, W, 3) RGB."""
        pixels = np.asarray(self._vis.capture_screen_float_buffer(True))
        return (pixels * 255 + 0.5).astype(np.uint8)

    def close(self) -> None:
        """Close the window and release its resources."""
        self._vis.destroy_window()

    def view(self) -> WindowView:
        """Return the present pose of the window's camera."""
        parameters = self._vis.get_view_control().convert_to_pinhole_camera_parameters()
        size = parameters.intrinsic
        pose = np.asarray(parameters.extrinsic)
        eye = -np.linalg.solve(pose[:3, :3], pose[:3, 3])
        right, forward = pose[0, :3], pose[2, :3]
        R = np.stack([right, np.cross(forward, right), forward])  # Open3D's 'up' is not always orthogonal to them
        return WindowView(R, -R @ eye, float(size.intrinsic_matrix[1, 1]), size.width, size.height)

    @property
    def followed(self) -> Array:
        """Point (x, z) of the world's floor at the centre of the studio."""
        return self._follow.point

    # -- keys --------------------------------------------------------------------------------------------------------

    def reset_view(self) -> None:
        """Reset the camera so that a person of 1.7 m fills the window."""
        control = self._vis.get_view_control()
        away = EYE - LOOK_AT
        control.change_field_of_view((FIELD_OF_VIEW_DEG - control.get_field_of_view()) / 5.0)  # in steps of 5 degrees
        control.set_lookat(LOOK_AT)
        control.set_front(away / np.linalg.norm(away))
        control.set_up([0.0, 1.0, 0.0])
        control.set_zoom(float(np.linalg.norm(away) * np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)) / _EXTENT_M))
        control.set_constant_z_near(_NEAR_M)
        control.set_constant_z_far(_FAR_M)

    def press(self, key: str) -> None:
        """Handle a key: 'M', 'V', 'H' and ' ' act on the window, 'R', 'C' and 'N' call `on_key`."""
        if key == "M":
            self._mirror = not self._mirror
        elif key == " ":
            self._held = not self._held
        elif key == "H":
            self._show_keys = not self._show_keys
        elif key == "V":
            self.reset_view()
        else:
            self._on_key({"R": "record", "C": "recentre", "N": "next person"}[key])
        self._stale = True

    def _set_keys(self) -> None:
        def pressing(key: str) -> Callable[[object, SupportsInt, SupportsInt], bool]:
            def act(_vis: object, action: SupportsInt, modifiers: SupportsInt) -> bool:
                if int(action) == 1 and int(modifiers) == 0:  # pressed, neither released nor repeating
                    self.press(key)
                return False

            return act

        for key in "MVHRCN ":
            self._vis.register_key_action_callback(ord(key), pressing(key))
        for key in "PDLO":  # Open3D's own: they write files into the working folder and change its lights
            self._vis.register_key_callback(ord(key), lambda _vis: False)

    # -- meshes ------------------------------------------------------------------------------------------------------

    def _add_meshes(self) -> None:
        o3d = self._o3d
        unit = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.array([[0.0, 0, 0], [0, _EXTENT_M, 0]])))
        self._vis.add_geometry(unit)  # sets Open3D's unit of zoom
        self._vis.remove_geometry(unit, reset_bounding_box=False)
        self._people_mesh = o3d.geometry.TriangleMesh()
        self._grid_lines = o3d.geometry.LineSet()
        half = self._floor.size_m / 2
        corners = np.array([[-half, 0, -half], [half, 0, -half], [half, 0, half], [-half, 0, half]])
        self._floor_mesh = self._textured(corners, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]))
        self._status_mesh = self._textured(np.zeros((4, 3)), np.zeros((4, 2)))
        self._keys_mesh = self._textured(np.zeros((4, 3)), np.zeros((4, 2)))
        self._guidance_mesh = self._textured(np.zeros((4, 3)), np.zeros((4, 2)))
        self._set_texture(self._floor_mesh, self._floor.cast([]))
        cards = (self._status_mesh, self._keys_mesh, self._guidance_mesh)
        for mesh in (self._people_mesh, self._grid_lines, self._floor_mesh, *cards):
            self._vis.add_geometry(mesh, reset_bounding_box=False)

    def _textured(self, corners: NDArray[np.float64], uv: NDArray[np.float64]) -> Any:
        """Make a flat convex polygon with a texture."""
        mesh = self._o3d.geometry.TriangleMesh()
        self._set_polygon(mesh, corners, uv)
        self._set_texture(mesh, np.zeros((4, 4, 3), np.uint8))
        return mesh

    def _set_polygon(self, mesh: Any, corners: NDArray[np.float64], uv: NDArray[np.float64]) -> None:
        vectors = self._o3d.utility
        count = len(corners)
        fan = np.stack([np.zeros(count - 2, int), np.arange(1, count - 1), np.arange(2, count)], axis=1)
        mesh.vertices = vectors.Vector3dVector(corners)
        mesh.triangles = vectors.Vector3iVector(fan.astype(np.int32))
        mesh.triangle_uvs = vectors.Vector2dVector(uv[fan.reshape(-1)])
        mesh.triangle_material_ids = vectors.IntVector(np.zeros(count - 2, np.int32))

    def _set_texture(self, mesh: Any, picture: Picture) -> None:
        mesh.textures = [self._o3d.geometry.Image(np.ascontiguousarray(picture))]

    @cached_property
    def _coarse(self) -> LitBody:
        """Body of those who do not keep all detail; made when there first are any, which takes some 0.3 s."""
        return LitBody(coarse(self._body))

    def _draw_people(self, view: WindowView) -> None:
        vectors = self._o3d.utility
        people, full = (self._shown.people, in_full(self._shown)) if self._shown else ((), set())
        centre, eye = np.insert(self._follow.point, 1, 0.0), view.eye.astype(np.float32)
        bodies = [self._full if person.id in full else self._coarse for person in people]
        lit = [body.of(person, centre, eye, self._mirror) for body, person in zip(bodies, people, strict=True)]
        self._bodies: list[Array] = [vertices for vertices, _ in lit]
        if people:
            self._people_mesh.vertices = vectors.Vector3dVector(np.concatenate(self._bodies).astype(float))
            self._people_mesh.vertex_colors = vectors.Vector3dVector(np.concatenate([c for _, c in lit]).astype(float))
            drawn_in_full = [body is self._full for body in bodies]
            if drawn_in_full != self._drawn_in_full:
                first = np.cumsum([0, *map(len, self._bodies)]).astype(np.int32)
                faces = [body.faces + k for body, k in zip(bodies, first, strict=False)]
                self._people_mesh.triangles = vectors.Vector3iVector(np.concatenate(faces))
                self._drawn_in_full = drawn_in_full
        else:
            self._people_mesh.clear()
            self._drawn_in_full = []
        self._vis.update_geometry(self._people_mesh)

    def _draw_floor(self) -> None:
        vectors = self._o3d.utility
        self._set_texture(self._floor_mesh, self._floor.cast(self._bodies))
        self._vis.update_geometry(self._floor_mesh)
        followed = self._follow.point * (np.array([-1, 1], np.float32) if self._mirror else 1)
        segments, colours = self._floor.grid(followed)
        self._grid_lines.points = vectors.Vector3dVector(segments.reshape(-1, 3).astype(float))
        self._grid_lines.lines = vectors.Vector2iVector(np.arange(2 * len(segments), dtype=np.int32).reshape(-1, 2))
        self._grid_lines.colors = vectors.Vector3dVector(colours.astype(float))
        self._vis.update_geometry(self._grid_lines)

    # -- cards -------------------------------------------------------------------------------------------------------

    def _draw_cards(self, view: WindowView) -> None:
        margin = round(18 * view.scale)
        width = int(np.clip(0.27 * view.width, 200 * view.scale, 380 * view.scale)) // 4 * 4
        notes = [word for word, on in (("held", self._held), ("mirrored", self._mirror)) if on]
        status = self._shown.status if self._shown else None
        card = status_card(self._writer, self._inset(width, view), status, width, view.scale, notes)
        self._place(self._status_mesh, card, (margin, margin), view)
        keys = keys_card(self._writer, view.scale, self._show_keys)
        corner = view.width - margin - keys.shape[1], view.height - margin - keys.shape[0]
        self._place(self._keys_mesh, keys, corner, view)
        self._draw_guidance(status, 2 * margin + width, margin, view)

    def _draw_guidance(self, status: LiveStatus | None, left: int, margin: int, view: WindowView) -> None:
        """Put the calibration message at the top, centred in the space right of `left`."""
        guidance = status.guidance if status is not None else None
        if guidance is not None:
            card = guidance_card(self._writer, guidance, view.width - left - margin, view.scale)
            self._place(self._guidance_mesh, card, ((left + view.width - margin - card.shape[1]) // 2, margin), view)
        elif self._guides:
            self._set_polygon(self._guidance_mesh, np.zeros((4, 3)), np.zeros((4, 2)))
            self._vis.update_geometry(self._guidance_mesh)
        self._guides = guidance is not None

    def _inset(self, width: int, view: WindowView) -> Picture | None:
        """Draw the camera's image with the skeletons, as wide as the card."""
        if self._shown is None:
            return None
        source = self._shown.picture_bgr
        strip, scale, offset = fitted(source[:, ::-1] if self._mirror else source, width, round(0.45 * view.height))
        strip = np.ascontiguousarray(strip[..., ::-1])
        for person in self._shown.people:
            if not person.valid:
                continue
            for layout, points_px in person.figures:
                if self._mirror:
                    points_px = points_px * np.array([-1, 1]) + [source.shape[1], 0]
                draw_figure(strip, layout, points_px * scale + offset, view.scale)
        return strip

    def _place(self, mesh: Any, card: Picture, corner: tuple[int, int], view: WindowView) -> None:
        """Place a card with round corners directly before the eye, its texels on the window's pixels."""
        height, width = card.shape[:2]
        outline = rounded_outline(width, height, 9 * view.scale)
        pixels = outline + np.array(corner)
        rays = (pixels - np.array([view.width, view.height]) / 2) / view.focal_px
        before_eye = np.concatenate([rays, np.ones((len(rays), 1))], axis=1) * _CARD_DEPTH_M
        self._set_polygon(mesh, (before_eye - view.t) @ view.R, outline / np.array([width, height]))
        self._set_texture(mesh, card)
        self._vis.update_geometry(mesh)
