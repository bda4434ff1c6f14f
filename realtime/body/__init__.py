"""The body: its file, kinematics and skinning, where it stands before the camera and in the world."""

from __future__ import annotations

from pathlib import Path


def open_body_path() -> Path:
    """Where the free body that ships with the project lies."""
    return Path(__file__).resolve().parents[2] / "assets" / "body_open.npz"
