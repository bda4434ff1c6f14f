"""Coefficients that can be relied on; docs/hands-face.md has the reasons.

Supported ones reach 0.55 or more in the mean on pictures of the free head with that expression alone.
"""

from __future__ import annotations

from engine.body.expressions import BLENDSHAPES

# Little of them shows in the points, or they look like another expression.
WEAK = frozenset(
    {
        "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft",
        "eyeWideRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthLowerDownLeft", "mouthLowerDownRight",
        "mouthRollLower", "mouthShrugLower", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft",
        "noseSneerRight",
    }
)  # fmt: skip
# The points do not move with them: they stay at about 0.
NONE = frozenset({"cheekSquintLeft", "cheekSquintRight", "jawForward", "tongueOut"})
SUPPORTED = frozenset(BLENDSHAPES) - WEAK - NONE
