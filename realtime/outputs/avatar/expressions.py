"""Expressions that VRM avatars know, from ARKit's coefficients."""

from __future__ import annotations

import numpy as np

from engine.body.expressions import BLENDSHAPES
from realtime.kernel.messages import Array

# Presets by their names in VRM 1, with those in VRM 0 (UniVRM's). Emotions are left out: an avatar adds them to the
# mouth and the lids, which have moved already.
VRM_PRESETS = {
    "blink": "Blink", "blinkLeft": "Blink_L", "blinkRight": "Blink_R", "aa": "A", "ih": "I", "ou": "U", "ee": "E",
    "oh": "O", "lookUp": "LookUp", "lookDown": "LookDown", "lookLeft": "LookLeft", "lookRight": "LookRight",
}  # fmt: skip
EXPRESSIONS: dict[str, tuple[str, ...]] = {  # names to send, by choice
    "all": (*BLENDSHAPES, *VRM_PRESETS.values(), *VRM_PRESETS),
    "arkit": BLENDSHAPES,
    "vrm": (*VRM_PRESETS.values(), *VRM_PRESETS),
}


def expressions(blendshapes: Array) -> dict[str, float]:
    """Return all expressions by name, 0..1: ARKit's coefficients (52,), and the presets of both versions of VRM."""
    coefficients = dict(zip(BLENDSHAPES, blendshapes.tolist(), strict=True))
    presets = _presets(coefficients)
    older = {VRM_PRESETS[name]: value for name, value in presets.items()}
    return coefficients | presets | older


def _presets(of: dict[str, float]) -> dict[str, float]:
    """Compute the presets of VRM 1. An avatar adds them up, so none repeats what another one has done.

    `blink` is what both lids do, `blinkLeft` and `blinkRight` are what is left for one. The mouth is shared among the
    vowels by how far it is open, round and wide.
    """
    left, right = of["eyeBlinkLeft"], of["eyeBlinkRight"]
    both = min(left, right)
    opened = float(np.clip(of["jawOpen"] - of["mouthClose"], 0.0, 1.0))
    rounded = max(of["mouthFunnel"], of["mouthPucker"])
    stretched = _mean(of, "mouthStretch")
    wide = max(stretched, _mean(of, "mouthSmile"))
    return {
        "blink": both,
        "blinkLeft": left - both,
        "blinkRight": right - both,
        "aa": opened * (1 - rounded) * (1 - wide),
        "ih": (1 - opened) * (1 - rounded) * stretched,
        "ou": (1 - opened) * rounded,
        "ee": opened * (1 - rounded) * wide,
        "oh": opened * rounded,
        "lookUp": _mean(of, "eyeLookUp"),
        "lookDown": _mean(of, "eyeLookDown"),
        "lookLeft": (of["eyeLookOutLeft"] + of["eyeLookInRight"]) / 2,
        "lookRight": (of["eyeLookInLeft"] + of["eyeLookOutRight"]) / 2,
    }


def _mean(of: dict[str, float], name: str) -> float:
    return (of[f"{name}Left"] + of[f"{name}Right"]) / 2
