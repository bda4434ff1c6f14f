"""Pictures of the free head, painted, with known shape, expression, gaze and direction.

Head axes: x to the person's left, y up, z ahead; metres; origin between the eyes.

Skin, lips, brows, eyes and the inside of the mouth are painted by their place on the face at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from engine.body.files import OPEN_HANDS_BODY, load_body
from engine.body.rasteriser import Fragments, rasterise
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.skeleton import SIDES

Floats = NDArray[np.floating]

SKIN, LIPS, MOUTH, BROWS = (0.80, 0.60, 0.50), (0.70, 0.40, 0.37), (0.20, 0.08, 0.08), (0.25, 0.16, 0.11)
WHITE, IRIS, PUPIL = (0.93, 0.92, 0.90), (0.32, 0.22, 0.14), (0.03, 0.03, 0.03)
DISTANCE_M, LIGHT = 0.7, np.array([-0.3, -0.5, -0.8]) / np.linalg.norm([0.3, 0.5, 0.8])  # towards it, camera axes
FACING = np.diag([1.0, -1.0, -1.0])


class PaintedHead:
    """Head of the free body, which takes the shapes and expressions of that."""

    def __init__(self) -> None:
        body = load_body(str(OPEN_HANDS_BODY))
        assert body.expression_dirs is not None
        joints = body.rest_joints(np.zeros((1, 10), np.float32))[0]
        eyes = [joints[body.skeleton.index(f"{side}_eye_smplhf")] for side in SIDES]
        near = np.linalg.norm(body.v_template - np.mean(eyes, axis=0), axis=1) < 0.30
        self._faces = body.faces[near[body.faces].all(axis=1)]
        middle = np.mean(eyes, axis=0)
        self._unit_m = float(eyes[0][0] - eyes[1][0]) / 0.0588  # painted for eyes 59 mm apart
        self._rest = body.v_template - middle
        self._shapes = np.moveaxis(body.shapedirs, 2, 0).astype(np.float64)
        self._dirs = dict(zip(body.expression_names, np.moveaxis(body.expression_dirs, 2, 0), strict=True))
        self._balls = [self._ball(eye - middle) for eye in eyes]

    def __call__(
        self,
        expression: Mapping[str, float] | None = None,
        *,
        betas: Floats | None = None,
        R_cam_head: Floats = FACING,
        gaze_rad: tuple[float, float] = (0.0, 0.0),
        size_px: int = 320,
    ) -> NDArray[np.uint8]:
        """Return the picture (size, size, 3), BGR; the face is more than half as wide.

        betas: (10,) of the body, the mean adult's by default. gaze_rad: yaw to the person's left, pitch up.
        """
        rest = self._rest if betas is None else self._shaped(betas)
        posed = rest + sum((value * self._dirs[name] for name, value in (expression or {}).items()), 0.0)
        yaw, pitch = rotmat_from_axis_angle(np.array([[0, gaze_rad[0], 0], [-gaze_rad[1], 0, 0]]))
        for ball in self._balls:
            centre = rest[ball].mean(axis=0)
            posed[ball] = (rest[ball] - centre) @ (yaw @ pitch).T + centre
        fragments = self._fragments(posed, R_cam_head, size_px)
        normals, covered = fragments.shade((self._normals(posed) @ R_cam_head.T).astype(np.float32))
        lit = (0.8 * np.clip(normals @ LIGHT, 0, 1) + 0.2 * np.clip(-normals[..., 2], 0, 1))[..., None]
        picture = self._painted(fragments) * (0.45 + 0.75 * lit)
        picture[~covered] = (0.45, 0.50, 0.55)
        rgb = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
        return cv2.GaussianBlur(rgb[..., ::-1].copy(), (0, 0), 0.8)

    def _shaped(self, betas: Floats) -> Floats:
        """Return another adult's head at rest, with its eyes where the mean one's are."""
        moves = np.tensordot(betas, self._shapes, axes=1)
        return self._rest + moves - np.mean([moves[ball].mean(axis=0) for ball in self._balls], axis=0)

    def _ball(self, eye: Floats) -> NDArray[np.intp]:
        """Vertices of an eyeball: a piece of the surface by itself, about the eye."""
        pieces = self._pieces
        about = np.linalg.norm(self._rest - eye, axis=1) < 0.02
        counts = np.bincount(pieces)
        own = [k for k in np.unique(pieces[about]) if counts[k] < 1000 and about[pieces == k].mean() > 0.8]
        return np.flatnonzero(np.isin(pieces, own))

    @cached_property
    def _pieces(self) -> NDArray[np.intp]:
        edges = np.concatenate([self._faces[:, [0, 1]], self._faces[:, [1, 2]]])
        graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(self._rest),) * 2)
        return connected_components(graph, directed=False)[1].astype(np.intp)

    @cached_property
    def _colours(self) -> Floats:
        """Skin, and the mouth's inside: what cannot be seen of a head at rest from any side."""
        colours = np.tile(np.array(SKIN), (len(self._rest), 1))
        seen = np.zeros(len(self._rest), bool)
        for yaw in np.radians((-70, -35, 0, 35, 70)):
            c, s = np.cos(yaw), np.sin(yaw)
            side = FACING @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            seen[self._fragments(self._rest, side, 800).corners.ravel()] = True
        x, y, z = (self._rest / self._unit_m).T
        colours[~seen & (np.abs(x) < 0.035) & (np.abs(y + 0.065) < 0.05) & (z > -0.06)] = MOUTH
        colours[np.concatenate(self._balls)] = WHITE
        return colours

    def _painted(self, fragments: Fragments) -> Floats:
        place, _ = fragments.shade((self._rest / self._unit_m).astype(np.float32))
        colours, _ = fragments.shade(self._colours.astype(np.float32))
        mask = np.zeros((len(self._rest), 3), np.float32)
        mask[np.concatenate(self._balls)] = 1
        ball = fragments.shade(mask)[0][..., 0] > 0.5
        x, y, z = np.moveaxis(place, 2, 0)
        across, lip = np.abs(x), y + 0.0685 - 0.1 * np.abs(x)
        inside = 0.0095 * np.sqrt(np.clip(1 - (across / 0.0255) ** 2, 0, 1)) + 0.0012
        skin = ~ball & (colours[..., 0] > 0.5)
        colours[skin & (np.abs(lip) < inside) & (across < 0.0255) & (z > 0.02)] = LIPS
        for side, vertices in zip((1, -1), self._balls, strict=True):
            centre = self._rest[vertices].mean(axis=0) / self._unit_m
            out, up = (x - centre[0]) * side, y - centre[1]
            arc = 0.019 + 0.004 * np.cos(np.clip((out - 0.002) / 0.024, -1, 1) * 1.4)
            arc = arc - 0.0024 * np.clip(out / 0.02, -1, 2) ** 2
            thick = 0.0032 - 0.0012 * np.clip((out + 0.018) / 0.04, 0, 1)
            colours[skin & (np.abs(up - arc) < thick) & (out > -0.019) & (out < 0.027) & (z > -0.03)] = BROWS
            off = place - centre
            angle = np.degrees(np.arctan2(np.hypot(off[..., 0], off[..., 1]), off[..., 2]))
            own = ball & (x * side > 0)
            colours[own & (angle < 29)], colours[own & (angle < 11)] = IRIS, PUPIL
        return colours

    def _fragments(self, points: Floats, R_cam_head: Floats, size_px: int) -> Fragments:
        at = (points + np.array([0, 0.03, 0.05])) @ R_cam_head.T + np.array([0, 0, DISTANCE_M])
        image_px = at[:, :2] / at[:, 2:] * (2.5 * size_px) + size_px / 2
        return rasterise(image_px.astype(np.float32), at[:, 2].astype(np.float32), self._faces, (size_px, size_px))

    def _normals(self, points: Floats) -> Floats:
        a, b, c = (points[corner] for corner in self._faces.T)
        normals, across = np.zeros_like(points), np.cross(b - a, c - a)
        for corner in self._faces.T:
            np.add.at(normals, corner, across)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
