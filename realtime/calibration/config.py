"""Configuration of the camera: what the user states of its field of view, pitch and roll."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Parameter

Degrees = Annotated[Literal["auto"] | float, Parameter(metavar="auto|DEGREES", show_choices=False)]


@dataclass(frozen=True)
class CameraConfig:
    """Camera angles from the user; 'auto' ones are estimated from the images (docs/camera.md)."""

    fov_deg: Annotated[Degrees, Parameter("--fov", help="the camera's horizontal field of view")] = "auto"
    pitch_deg: Annotated[Degrees, Parameter("--pitch", help="how far the camera looks down")] = "auto"
    roll_deg: Annotated[
        Degrees, Parameter("--roll", help="how far upright things lean to the right in the picture")
    ] = "auto"

    def __post_init__(self) -> None:
        _check_degrees("fov_deg", self.fov_deg, 10, 150)
        _check_degrees("pitch_deg", self.pitch_deg, -89, 89)
        _check_degrees("roll_deg", self.roll_deg, -180, 180)

    @property
    def quarter_turns(self) -> int:
        """Counter-clockwise quarter turns of images, after which at most 45 degrees of roll remain."""
        return 0 if self.roll_deg == "auto" else round(self.roll_deg / 90)

    def of_turned_pictures(self) -> CameraConfig:
        """Return the configuration for rotated images.

        A user's 180 or 90 states which way up the camera is, not its exact angle, so the rest is estimated with the
        other angles.
        """
        if self.roll_deg == "auto" or self.quarter_turns == 0:
            return self
        rest_deg = self.roll_deg - 90.0 * self.quarter_turns
        finds = rest_deg == 0.0 and "auto" in (self.fov_deg, self.pitch_deg)
        return replace(self, roll_deg="auto" if finds else rest_deg)


def _check_degrees(name: str, value: float | str, least: float, most: float) -> None:
    if value != "auto" and not least <= float(value) <= most:
        raise ValueError(f"camera.{name} must lie between {least} and {most} degrees or be auto, not {value}")
