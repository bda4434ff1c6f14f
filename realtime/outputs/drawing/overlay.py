"""Draws the viewer's flat parts: the camera's image with the skeleton, the status card, the list of keys.

Images are uint8 (H, W, 3) in RGB. Sizes are pixels of the framebuffer; `scale` is 1 in a window 720 pixels high.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import KeypointLayout
from engine.body.skeleton import JOINT_NAMES, PARENTS
from realtime.kernel.messages import Camera, Guidance
from realtime.outputs.live_status import LiveStatus

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

CARD: Colour = (30, 34, 41)
_BRIGHT: Colour = (236, 239, 243)
_DIM: Colour = (148, 157, 170)
_FAINT: Colour = (52, 58, 69)
_LEFT: Colour = (255, 150, 92)
_RIGHT: Colour = (86, 176, 255)
_MIDDLE: Colour = (240, 240, 240)
_RECORDING: Colour = (240, 72, 66)
_AMBER: Colour = (244, 186, 80)
_GREEN: Colour = (96, 200, 120)
_FULL_WIDTH_PX = 80  # extent of a figure from which its lines have their full width

KEYS: tuple[tuple[str, str], ...] = (
    ("R", "record on / off"),
    ("C", "recentre the world"),
    ("N", "next person"),
    ("V", "reset the view"),
    ("M", "mirror"),
    ("Space", "hold the picture"),
    ("H", "hide this list"),
    ("Q", "quit"),
)
MOUSE_HINT = "Drag to orbit, wheel to zoom"


def in_brief(camera: Camera) -> str:
    """Format the camera in whole degrees in little space: '36° wide, 18° down, −3° roll, room ±0.5°'."""
    pitch, roll, doubt = round(camera.pitch_deg), round(camera.roll_deg), camera.doubt_deg
    looks = f"{abs(pitch)}° {'down' if pitch > 0 else 'up'}" if pitch else "level"
    parts = [f"{camera.fov_deg:.0f}° wide", looks, *([f"{roll:+d}° roll".replace("-", "−")] if roll else [])]
    within = f" ±{doubt:.0f}°" if doubt >= 1 else f" ±{doubt:.1f}°" if doubt else ""
    return f"{', '.join(parts)}, {camera.source}{within}"


# SMPL's stick figure, drawn as keypoints are.
SKELETON = KeypointLayout(
    "smpl", JOINT_NAMES, edges=tuple((JOINT_NAMES[PARENTS[j]], JOINT_NAMES[j]) for j in range(1, len(JOINT_NAMES)))
)


def draw_figure(picture: Picture, layout: KeypointLayout, points_px: Array, scale: float = 1.0) -> None:
    """Draw the bones of a layout into `picture`: points (K, 2) in its pixels.

    A bone is skipped if either end is not finite or far outside of the image. It has the colour of its second end, and
    is thinner in a small figure, such as a hand. A layout without bones, such as a face's, is drawn as fine dots.
    """
    reach = 4 * max(picture.shape[:2])
    drawable = (np.abs(points_px) <= reach).all(axis=1)  # False for NaN
    if not drawable.any():
        return
    if not len(layout.bones):
        _draw_dots(picture, points_px[drawable])
        return
    scale = min(scale, float(np.ptp(points_px[drawable], axis=0).max()) / _FULL_WIDTH_PX)
    fixed = np.round(np.where(drawable[:, None], points_px, 0.0) * 16).astype(int).tolist()  # 4 fractional bits
    thick, edge = max(1, round(2.2 * scale)), 2 if scale > 0.5 else 1
    bones = layout.bones[drawable[layout.bones].all(axis=1)].tolist()
    for start, end in bones:  # a dark edge keeps it legible on any clothes
        cv2.line(picture, fixed[start], fixed[end], (20, 22, 26), thick + edge, cv2.LINE_AA, 4)
    for start, end in bones:
        cv2.line(picture, fixed[start], fixed[end], _side_colour(layout.names[end]), thick, cv2.LINE_AA, 4)
    for k in np.flatnonzero(drawable).tolist():
        cv2.circle(picture, fixed[k], round(1.9 * scale * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)


def _draw_dots(picture: Picture, points_px: Array) -> None:
    """Set single pixels at points (K, 2), which need not lie in the picture."""
    x, y = np.round(points_px).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < picture.shape[1]) & (y < picture.shape[0])
    picture[y[inside], x[inside]] = _MIDDLE


def _side_colour(name: str) -> Colour:
    return {"left": _LEFT, "right": _RIGHT}.get(name.partition("_")[0], _MIDDLE)


class Writer:
    """Text renderer with OpenCV's TrueType font; one instance serves one thread."""

    def __init__(self) -> None:
        self._face = cv2.FontFace("sans")

    def width(self, text: str, size: int, weight: int = 400) -> int:
        """Return the width of the text in pixels."""
        box = cv2.getTextSize((1 << 14, 1 << 10), text, (0, 0), self._face, size, weight)
        return int(box[2])

    def write(
        self, picture: Picture, text: str, at: tuple[int, int], size: int, colour: Colour, weight: int = 400
    ) -> int:
        """Write with the baseline starting at `at`; return the x of the text's end."""
        end, _ = cv2.putText(picture, text, at, colour, self._face, size, weight)
        return int(end[0])

    def fitting(self, text: str, size: int, room: int) -> str:
        """Return the text, shortened in the middle to `room` pixels."""
        if self.width(text, size) <= room:
            return text
        for keep in range(len(text) - 1, 1, -1):
            short = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
            if self.width(short, size) <= room:
                return short
        return "…"


def status_card(
    writer: Writer,
    picture: Picture | None,
    status: LiveStatus | None,
    width: int,
    scale: float,
    notes: Sequence[str] = (),
) -> Picture:
    """Draw the card with the camera's image on top (already as wide as the card) and the figures below."""
    pad, line = round(14 * scale), round(25 * scale)
    top = 0 if picture is None else picture.shape[0]
    lines = 2 + bool(notes) + (status is not None and status.camera is not None)
    height = top + pad + round(34 * scale) + lines * line + pad
    card = np.full((height, width, 3), CARD, np.uint8)
    if picture is not None:
        card[:top] = picture
    small, big = round(15 * scale), round(29 * scale)
    y = top + pad + round(22 * scale)
    if status is None:
        writer.write(card, "waiting for the first picture", (pad, y), small, _DIM)
        return card
    x = writer.write(card, f"{status.fps:.0f}", (pad, y), big, _BRIGHT, 600)
    x = writer.write(card, "fps", (x + round(5 * scale), y), small, _DIM)
    x = writer.write(card, f"{status.latency_ms:.0f}", (x + round(20 * scale), y), big, _BRIGHT, 600)
    writer.write(card, "ms latency", (x + round(5 * scale), y), small, _DIM)
    if status.recording:
        label = "REC"
        x = width - pad - writer.width(label, small, 600)
        writer.write(card, label, (x, y), small, _RECORDING, 600)
        _dot(card, (x - round(11 * scale), y - round(5 * scale)), 5.5 * scale, _RECORDING)
    y += round(31 * scale)
    source = writer.fitting(status.source, small, width - 2 * pad)
    writer.write(card, source, (pad, y), small, _BRIGHT)
    y += line
    who = writer.fitting(f"{status.who}  ·  smoothing {status.smoothing}", small, width - 2 * pad)
    writer.write(card, who, (pad, y), small, _DIM)
    if status.camera is not None:
        y += line
        writer.write(card, writer.fitting(in_brief(status.camera), small, width - 2 * pad), (pad, y), small, _DIM)
    writer.write(card, "  ·  ".join(notes), (pad, y + line), small, _AMBER, 600)
    return card


def guidance_card(writer: Writer, guidance: Guidance, room: int, scale: float) -> Picture:
    """Draw the calibration message, legible from across a room, above a progress bar; at most `room` wide."""
    pad, bar = round(16 * scale), round(7 * scale)
    fits = (size for size in (36, 28, 22) if writer.width(guidance.text, round(size * scale), 600) <= room - 2 * pad)
    size = round(next(fits, 16) * scale)
    text = writer.fitting(guidance.text, size, room - 2 * pad)
    width = min(room, writer.width(text, size, 600) + 2 * pad) // 4 * 4
    card = np.full((2 * pad + round(1.2 * size) + 2 * bar, width, 3), CARD, np.uint8)
    writer.write(card, text, (pad, pad + size), size, _BRIGHT, 600)
    bottom = card.shape[0] - pad
    card[bottom - bar : bottom, pad : width - pad] = _FAINT
    colour = {"going": _AMBER, "done": _GREEN, "failed": _RECORDING}[guidance.state]
    card[bottom - bar : bottom, pad : pad + round(guidance.progress * (width - 2 * pad))] = colour
    return card


def keys_card(writer: Writer, scale: float, listed: bool = True) -> Picture:
    """Draw the list of keys, or if it is hidden, how to show it."""
    if not listed:
        return _key_rows(writer, scale, (("H", "keys"),), "")
    return _key_rows(writer, scale, KEYS, MOUSE_HINT)


def _key_rows(writer: Writer, scale: float, keys: Sequence[tuple[str, str]], hint: str) -> Picture:
    pad, line, small = round(14 * scale), round(25 * scale), round(15 * scale)
    column = max(writer.width(key, small, 600) for key, _ in keys) + round(26 * scale)
    room = max([column + writer.width(what, small) for _, what in keys] + [writer.width(hint, small)])
    rows = len(keys) + bool(hint)
    card = np.full((pad * 2 + line * rows - round(2 * scale), (room + 2 * pad + 3) // 4 * 4, 3), CARD, np.uint8)
    for row, (key, what) in enumerate(keys):
        y = pad + line * row + round(17 * scale)
        cap = writer.width(key, small, 600) + round(14 * scale)
        _rounded(card, (pad, y - round(16 * scale)), (cap, round(21 * scale)), round(4 * scale), _FAINT)
        writer.write(card, key, (pad + round(7 * scale), y), small, _BRIGHT, 600)
        writer.write(card, what, (pad + column, y), small, _DIM)
    writer.write(card, hint, (pad, pad + line * len(keys) + round(19 * scale)), small, _DIM)
    return card


def fitted(picture: Picture, width: int, max_height: int) -> tuple[Picture, float, tuple[int, int]]:
    """Scale the image to fit into width x max_height, centred on a dark strip of that width.

    Returns the strip, the scale and the offset (x, y): a pixel p of the image is at scale * p + offset.
    """
    height, wide = picture.shape[:2]
    scale = min(width / wide, max_height / height)
    size = max(1, round(wide * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # the first is slow
    resized = cv2.resize(picture, size, interpolation=method)
    strip = np.full((size[1], width, 3), (14, 16, 19), np.uint8)
    left = (width - size[0]) // 2
    strip[:, left : left + size[0]] = resized
    return strip, scale, (left, 0)


def _dot(picture: Picture, centre: tuple[int, int], radius: float, colour: Colour) -> None:
    cv2.circle(picture, (centre[0] * 16, centre[1] * 16), round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def _rounded(picture: Picture, corner: tuple[int, int], size: tuple[int, int], radius: int, colour: Colour) -> None:
    (x, y), (w, h) = corner, size
    cv2.rectangle(picture, (x + radius, y), (x + w - radius, y + h), colour, -1)
    cv2.rectangle(picture, (x, y + radius), (x + w, y + h - radius), colour, -1)
    for cx in (x + radius, x + w - radius):
        for cy in (y + radius, y + h - radius):
            cv2.circle(picture, (cx, cy), radius, colour, -1, cv2.LINE_AA)
