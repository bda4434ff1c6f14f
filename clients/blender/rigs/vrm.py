"""Computes the expressions that VRM avatars know from ARKit's, as the program does for its VMC stream. Without bpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..joints import BLENDSHAPES

Array = NDArray[np.float64]

PRESETS = (
    "blink", "blinkLeft", "blinkRight", "aa", "ih", "ou", "ee", "oh", "lookUp", "lookDown", "lookLeft", "lookRight",
)  # fmt: skip
# Other names of the same, in lower case: VRM 0's vowels, and the shape keys of VRoid Studio.
ALIASES = {
    "a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh",
    "fclmtha": "aa", "fclmthi": "ih", "fclmthu": "ou", "fclmthe": "ee", "fclmtho": "oh",
    "fcleyeclose": "blink", "fcleyecloseleft": "blinkLeft", "fcleyecloseright": "blinkRight",
}  # fmt: skip


def with_presets(blendshapes: Array) -> Array:
    """Append the presets to blend shapes (..., 52): (..., 64) in the order of BLENDSHAPES and PRESETS.

    A mesh adds its shape keys up, so no preset repeats what another one has done. `blink` is what both lids do. The
    vowels share the mouth by how far it is open, round and wide. NaN stays NaN.
    """

    def of(name: str) -> Array:
        value: Array = blendshapes[..., BLENDSHAPES.index(name)]
        return value

    def mean(name: str) -> Array:
        return (of(f"{name}Left") + of(f"{name}Right")) / 2

    left, right = of("eyeBlinkLeft"), of("eyeBlinkRight")
    both = np.minimum(left, right)
    opened = np.clip(of("jawOpen") - of("mouthClose"), 0, 1)
    rounded = np.maximum(of("mouthFunnel"), of("mouthPucker"))
    stretched = mean("mouthStretch")
    wide = np.maximum(stretched, mean("mouthSmile"))
    presets = [
        both,
        left - both,
        right - both,
        opened * (1 - rounded) * (1 - wide),
        (1 - opened) * (1 - rounded) * stretched,
        (1 - opened) * rounded,
        opened * (1 - rounded) * wide,
        opened * rounded,
        mean("eyeLookUp"),
        mean("eyeLookDown"),
        (of("eyeLookOutLeft") + of("eyeLookInRight")) / 2,
        (of("eyeLookInLeft") + of("eyeLookOutRight")) / 2,
    ]
    return np.concatenate([blendshapes, np.stack(presets, axis=-1)], axis=-1)
