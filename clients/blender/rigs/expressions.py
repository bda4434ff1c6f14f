"""Finds ARKit's expressions, or else VRM's presets, among the shape keys of a mesh. Without bpy.

A name matches whatever its case, prefix ("blendShape1.") and way to write the side ("eyeBlinkLeft", "eyeBlink_L").
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..joints import BLENDSHAPES
from .vrm import ALIASES, PRESETS

_NAME = re.compile(r"(?:.*[.:](?!(?:l|r|left|right)$))?(?P<stem>.+?)(?:[._ -](?P<side>l|r|left|right))?")
_INDICES = {name.lower(): index for index, name in enumerate(BLENDSHAPES)}
_PRESETS = {name.lower(): name for name in PRESETS} | ALIASES
_ALL = (*BLENDSHAPES, *PRESETS)


def found(names: Iterable[str]) -> dict[str, int]:
    """Return the shape keys that are expressions: name to index in `BLENDSHAPES` followed by `PRESETS`.

    A key for one half of an expression that has no side ("browInnerUp_L") takes the whole. VRM's presets are found on a
    mesh that has none of ARKit's names, because the two would add up.
    """
    plain = {name: _plain(name) for name in names}
    keys = {name: index for name, key in plain.items() if (index := _arkit(key)) is not None}
    return keys or _presets(plain)


def _presets(plain: dict[str, str]) -> dict[str, int]:
    keys = {name: preset for name, key in plain.items() if (preset := _PRESETS.get(key)) is not None}
    whole = {} if "blink" in keys.values() else {"blinkLeft": "eyeBlinkLeft", "blinkRight": "eyeBlinkRight"}
    return {name: _ALL.index(whole.get(preset, preset)) for name, preset in keys.items()}


def _plain(name: str) -> str:
    """Return a name's letters, without prefix and case, its side in full."""
    match = _NAME.fullmatch(name.lower())
    if match is None:
        return ""
    side = match["side"] or ""
    return re.sub(r"[^a-z0-9]", "", match["stem"]) + {"l": "left", "r": "right"}.get(side, side)


def _arkit(plain: str) -> int | None:
    return _INDICES.get(plain, _INDICES.get(re.sub("(left|right)$", "", plain)))
