"""Estimates field of view and gravity from one image of a room, without a network.

An edge in the image and the camera's centre span a plane. The edges in whose planes a direction lies support it.
Rooms and streets have three orthogonal directions, one of them gravity's (the Manhattan assumption of Coughlan and
Yuille, ICCV 1999). A wrong field of view bends the right angles, so the support peaks at the true one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.calibration.lines import Box, line_segments

Array = NDArray[np.float64]

FOVS_DEG = np.degrees(2 * np.arctan(np.geomspace(math.tan(math.radians(12.5)), math.tan(math.radians(50)), 15)))
BENDS = (0.0, -0.03, -0.07, -0.12)  # of the lens, see `_Rays.normals`; webcams bulge, hardly any lens pinches
USUAL_BEND = 0.04
FISHEYE_BENDS, FISHEYE_FROM = (-0.25, -0.4, -0.6), -0.18  # lenses of 100 to 170 degrees
FISHEYE_LEAST_DEG = 59.0  # field of view of such an image's middle, extrapolated
FISHEYE_MORE, FISHEYE_UNDER = 0.1, 0.5  # of the edges: minimum gain over a pinhole, support below which it is tried
USUAL_FOV_DEG = 60.0  # across the longer side: webcams have 55 to 78, the main cameras of phones 62 to 75 in video
USUAL_SPREAD = 0.35  # of the logarithm of the focal length
MOST_DOWN_DEG, MOST_UP_DEG, MOST_ROLL_DEG = 70.0, 25.0, 45.0
FEWEST_EDGES = 20
LEAST_SPREAD = 0.12  # standard deviation of the edges' positions, of the image's width; rooms and streets have 0.24
SIGNIFICANT = 0.012  # of all support: a difference that makes one reading e times as likely as another
BREATH_S = 0.002  # pause after each lens of the scan, live, so that threads of the pose path get the GIL
_WITHIN_RAD, _SCAN_WITHIN_RAD = math.radians(1.0), math.radians(2.0)
_PAIRS, _POLISHED, _VERTICALS, _APART, _STEP_RAD = 500, 60, 8, math.cos(math.radians(1.5)), math.radians(1.5)
_MOST_PEAKS, _REFINE_STEPS, _EDGE_NOISE_RAD, _FIXED = 6, 10, math.radians(0.3), 1e12


@dataclass(frozen=True, slots=True)
class RoomReading:
    """Camera angles from one image, with their uncertainty."""

    fov_deg: float  # across the longer side
    up_cam: Array  # (3,) unit vector against gravity; camera axes: x right, y down, z forward
    fov_doubt_deg: float  # standard deviations
    up_doubt_deg: float
    support: float  # share of the image's edges that the three directions explain, 0..1
    bend: float = 0.0  # of the lens, see `_Lens`

    @property
    def fisheye(self) -> bool:
        """Return whether the lens bends lines too much for a pinhole; `fov_deg` then extrapolates from the middle."""
        return self.bend < FISHEYE_FROM


def read_room(
    image_bgr: NDArray[np.uint8], fov_deg: float | None = None, people: Sequence[Box] = (), *, breath_s: float = 0.0
) -> RoomReading | None:
    """Estimate the camera under which the edges of the (H, W, 3) image form right angles; None with too few edges.

    It is also None if all edges lie in one place: those of a person before a bare wall say nothing about the room.

    fov_deg: the field of view across the longer side, if known; only gravity is then estimated.
    people: boxes (4,) in pixels around people, whose edges are ignored.
    breath_s: pause after each of some hundred lenses.
    """
    edges, weights = line_segments(image_bgr, people)
    if len(edges) < FEWEST_EDGES:
        return None
    height, width = image_bgr.shape[:2]
    if _spread(edges, weights) < LEAST_SPREAD * width:
        return None
    rays = _Rays(edges, weights, np.array([width / 2, height / 2]), max(width, height) / 2)
    pairs = _steep_pairs(edges, weights)
    if not len(pairs):
        return None
    fovs_deg = FOVS_DEG if fov_deg is None else np.array([fov_deg])
    readings = _scan(rays, pairs, fovs_deg, BENDS, breath_s)
    best = max(readings, key=lambda axes: axes.support, default=None)
    if best is None or best.lens.bend == min(BENDS) or best.support < FISHEYE_UNDER:
        wide = fovs_deg if fov_deg is not None else fovs_deg[fovs_deg >= FISHEYE_LEAST_DEG]
        readings += _scan(rays, pairs, wide, FISHEYE_BENDS, breath_s)
    return _weigh(rays, readings, fov_is_known=fov_deg is not None) if readings else None


def _scan(
    rays: _Rays, pairs: NDArray[np.intp], fovs_deg: Array, bends: tuple[float, ...], breath_s: float
) -> list[_Axes]:
    """Find the best three directions for each lens."""
    readings = []
    for bend in bends:
        for fov_deg in fovs_deg:
            axes = _best_axes(rays, _Lens.of(float(fov_deg), bend), pairs)
            readings += [] if axes is None else [axes]
            if breath_s > 0:
                time.sleep(breath_s)
    return readings


def _spread(edges: Array, weights: Array) -> float:
    """Return the standard deviation of the positions of edges (N, 4) across the image, pixels."""
    x_px = (edges[:, 0] + edges[:, 2]) / 2
    return math.sqrt(float(weights @ (x_px - weights @ x_px) ** 2))


@dataclass(frozen=True, slots=True)
class _Lens:
    """Lens model that maps image points to rays."""

    tan_half_fov: float  # across the longer side, without distortion
    bend: float  # of Fitzgibbon's division model (CVPR 2001), radius in halves of the longer side; negative: bulging

    @classmethod
    def of(cls, fov_deg: float, bend: float) -> _Lens:
        return cls(math.tan(math.radians(fov_deg / 2)), bend)

    @property
    def fov_deg(self) -> float:
        return math.degrees(2 * math.atan(self.tan_half_fov))


@dataclass(frozen=True, slots=True)
class _Axes:
    """Three orthogonal directions, up first, and their support."""

    lens: _Lens
    R_cam_room: Array  # (3, 3) columns: up and two level directions
    support: float


@dataclass(frozen=True, slots=True)
class _Exact:
    """Axes between the steps of the scan, and their standard deviations."""

    axes: _Axes
    fov_noise_deg: float
    up_noise_deg: float


@dataclass(frozen=True, slots=True)
class _Rays:
    """Edges as seen from the camera, for any field of view."""

    edges: Array  # (N, 4) pixels
    weights: Array  # (N,)
    centre_px: Array
    half_side_px: float  # of the longer side

    def normals(self, lens: _Lens) -> Array:
        """(N, 3) unit normals of the planes through the camera and each edge."""
        ends = (self.edges.reshape(-1, 2, 2) - self.centre_px) / self.half_side_px
        ends = lens.tan_half_fov * ends / (1 + lens.bend * (ends**2).sum(axis=2, keepdims=True))
        (ax, ay), (bx, by) = ends[:, 0].T, ends[:, 1].T
        normals = np.stack([ay - by, bx - ax, ax * by - ay * bx], axis=1)  # of (a, 1) x (b, 1)
        return normals / np.sqrt((normals**2).sum(axis=1, keepdims=True))


def _steep_pairs(edges: Array, weights: Array) -> NDArray[np.intp]:
    """Sample (P, 2) pairs of steep edges; their intersections are candidates for the vertical vanishing point."""
    across_px, down_px = np.abs(edges[:, 2:] - edges[:, :2]).T
    steep = np.flatnonzero(down_px > across_px)
    if len(steep) < 2:
        return np.empty((0, 2), np.intp)
    chance = weights[steep] / weights[steep].sum()
    return np.random.default_rng(0).choice(steep, (_PAIRS, 2), p=chance)  # seeded, so that one image gives one result


def _best_axes(rays: _Rays, lens: _Lens, pairs: NDArray[np.intp]) -> _Axes | None:
    """Find the best three directions for one lens; None if no vertical is plausible."""
    normals = rays.normals(lens)
    ups = np.cross(normals[pairs[:, 0]], normals[pairs[:, 1]])
    length = np.linalg.norm(ups, axis=1, keepdims=True)
    ups = ups[length[:, 0] > 1e-6] / length[length[:, 0] > 1e-6]
    ups *= np.where(ups[:, 1:2] > 0, -1.0, 1.0)
    ups = ups[plausible(ups)]
    if not len(ups):
        return None
    ups = _distinct_verticals(ups, normals, rays.weights)
    vertical = _support(np.abs(ups @ normals.T), _SCAN_WITHIN_RAD)  # (C, N)
    axes = _level_axes(ups)  # (C, 3, 3)
    first, second = np.moveaxis(normals @ axes[:, :, 1:], -1, 0)[:, :, None]  # each (C, 1, N)
    angles = np.arange(0, math.pi / 2, _STEP_RAD)
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]  # (A, 1)
    off = np.minimum(np.abs(cosine * first + sine * second), np.abs(cosine * second - sine * first))
    supports = np.maximum(_support(off, _SCAN_WITHIN_RAD), vertical[:, None]) @ rays.weights  # (C, A)
    candidate, turn = np.unravel_index(supports.argmax(), supports.shape)
    c, s = cosine[turn, 0], sine[turn, 0]
    R_cam_room = axes[candidate] @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return _Axes(lens, R_cam_room, float(supports[candidate, turn]))


def _distinct_verticals(ups: Array, normals: Array, weights: Array) -> Array:
    """Select the best supported of many directions (C, 3), refined by their edges and all distinct."""
    support = _support(np.abs(ups @ normals.T), _SCAN_WITHIN_RAD) * weights
    best_first = np.argsort(-support.sum(axis=1))[:_POLISHED]
    scatter = np.einsum("cn,ni,nj->cij", support[best_first], normals, normals)
    polished = np.linalg.eigh(scatter)[1][:, :, 0]  # the direction closest to all of these planes
    polished *= np.where(polished[:, 1:2] > 0, -1.0, 1.0)
    alike = np.abs(polished @ polished.T) > _APART
    kept: list[int] = []
    for at in range(len(polished)):
        if len(kept) < _VERTICALS and not alike[at, kept].any():
            kept.append(at)
    return polished[kept]


def plausible(ups: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (C,) whether gravity may point so; floorboards that recede from the camera are no verticals."""
    pitch_deg = -np.degrees(np.arcsin(np.clip(ups[:, 2], -1, 1)))
    roll_deg = np.degrees(np.arctan2(ups[:, 0], -ups[:, 1]))
    return (pitch_deg < MOST_DOWN_DEG) & (pitch_deg > -MOST_UP_DEG) & (np.abs(roll_deg) < MOST_ROLL_DEG)


def _weigh(rays: _Rays, readings: list[_Axes], *, fov_is_known: bool) -> RoomReading:
    """Refine the likeliest reading between the steps of the scan; its spread is that of all likely ones."""
    exact = [_refine(rays, axes, fov_is_known=fov_is_known) for axes in _distinct_readings(readings)]
    exact.sort(key=lambda reading: -_log_chance(reading.axes))
    best = exact[0].axes
    up_cam = best.R_cam_room[:, 0]
    others = [reading.axes for reading in exact[1:]]
    chance = np.exp([_log_chance(axes) - _log_chance(best) for axes in others])
    share = chance / (1.0 + chance.sum())
    fovs_off = np.array([axes.lens.fov_deg - best.lens.fov_deg for axes in others])
    ups_off = np.array([angle_deg(axes.R_cam_room[:, 0], up_cam) for axes in others])
    return RoomReading(
        best.lens.fov_deg,
        up_cam,
        math.hypot(exact[0].fov_noise_deg, math.sqrt(float(share @ fovs_off**2))),
        math.hypot(exact[0].up_noise_deg, math.sqrt(float(share @ ups_off**2))),
        best.support,
        best.lens.bend,
    )


def angle_deg(a: Array, b: Array) -> float:
    """Angle between two unit vectors (3,), degrees."""
    return math.degrees(math.acos(max(-1.0, min(1.0, float(a @ b)))))


def _log_chance(axes: _Axes) -> float:
    """Return the log likelihood of a reading, up to a constant: from the edges and a prior over cameras."""
    unusual = math.log(axes.lens.tan_half_fov / math.tan(math.radians(USUAL_FOV_DEG / 2))) / USUAL_SPREAD
    bends = min(0.5 * (axes.lens.bend / USUAL_BEND) ** 2, FISHEYE_MORE / SIGNIFICANT)
    return axes.support / SIGNIFICANT - 0.5 * unusual**2 - bends


def _distinct_readings(readings: list[_Axes]) -> list[_Axes]:
    """Select the likeliest readings of a scan, so distinct that refining does not merge them."""
    kept: list[_Axes] = []
    for axes in sorted(readings, key=lambda axes: -_log_chance(axes)):
        if len(kept) < _MOST_PEAKS and not any(
            abs(math.log(axes.lens.tan_half_fov / other.lens.tan_half_fov)) < 0.15
            and angle_deg(axes.R_cam_room[:, 0], other.R_cam_room[:, 0]) < 4.0
            for other in kept
        ):
            kept.append(axes)
    return kept


def _refine(rays: _Rays, start: _Axes, *, fov_is_known: bool) -> _Exact:
    """Refine by Gauss-Newton: log tan(fov / 2), the lens's bend and a rotation of the axes.

    Each edge is assigned to its nearest axis. Geman and McClure's weights remove outliers.
    """
    lens, R_cam_room = start.lens, start.R_cam_room
    usual = 1e-9 if lens.bend < FISHEYE_FROM else (_EDGE_NOISE_RAD / USUAL_BEND) ** 2
    prior = np.array([_FIXED if fov_is_known else 1e-9, usual, 1e-9, 1e-9, 1e-9])
    information = np.diag(prior)
    count = 1.0 / float((rays.weights**2).sum())  # effective number of edges
    step = 1e-4
    for _ in range(_REFINE_STEPS):
        normals = rays.normals(lens)
        nearest = np.abs(normals @ R_cam_room).argmin(axis=1)
        directions = R_cam_room[:, nearest].T
        residuals = (normals * directions).sum(axis=1)
        weights = count * rays.weights / (1 + (residuals / _EDGE_NOISE_RAD) ** 2) ** 2
        moved = (_Lens(lens.tan_half_fov * math.exp(step), lens.bend), _Lens(lens.tan_half_fov, lens.bend + step))
        by_lens = [((rays.normals(other) * directions).sum(axis=1) - residuals) / step for other in moved]
        by_turn = np.cross(directions, normals)  # of n . (w x d) by w
        jacobian = np.column_stack([*by_lens, by_turn])
        information = jacobian.T @ (weights[:, None] * jacobian) + np.diag(prior)
        pull = jacobian.T @ (weights * residuals) + prior * np.array([0, lens.bend, 0, 0, 0])
        change = -np.linalg.solve(information, pull)
        change *= min(1.0, 0.05 / max(1e-12, float(np.abs(change).max())))
        lens = _Lens(lens.tan_half_fov * math.exp(float(change[0])), lens.bend + float(change[1]))
        R_cam_room = cv2.Rodrigues(change[2:])[0] @ R_cam_room
    noise = np.degrees(np.sqrt(np.diag(np.linalg.inv(information)))) * _EDGE_NOISE_RAD
    explained = _support(np.abs(rays.normals(lens) @ R_cam_room).min(axis=1), _WITHIN_RAD)
    axes = _Axes(lens, R_cam_room, float(explained @ rays.weights))
    fov_noise_deg = float(noise[0]) * math.sin(math.radians(lens.fov_deg))  # d fov = sin(fov) d log tan(fov / 2)
    return _Exact(axes, fov_noise_deg, float(np.hypot(noise[2], noise[4])))


def _support(off: Array, within_rad: float) -> Array:
    """Return an edge's support for a direction, 0..1, by the sine of the angle between its plane and the direction."""
    return np.clip(1 - off / within_rad, 0, 1)


def _level_axes(ups: Array) -> Array:
    """Return (C, 3, 3) columns: each up (C, 3) and two directions orthogonal to it."""
    x, y, z = ups.T
    across = np.stack([y, -x, np.zeros_like(x)], axis=1) / np.hypot(x, y)[:, None]
    along = np.stack([-z * across[:, 1], z * across[:, 0], x * across[:, 1] - y * across[:, 0]], axis=1)
    return np.stack([ups, across, along], axis=2)
