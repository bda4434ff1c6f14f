"""Finds ARKit's expressions among the shape keys of a mesh. Without bpy.

A name matches whatever its case, prefix ("blendShape1.") and way to write the side ("eyeBlinkLeft", "eyeBlink_L").
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..joints import BLENDSHAPES

_NAME = re.compile(r"(?:.*[.:](?!(?:l|r|left|right)$))?(?P<stem>.+?)(?:[._ -](?P<side>l|r|left|right))?")
_INDICES = {name.lower(): index for index, name in enumerate(BLENDSHAPES)}


def found(names: Iterable[str]) -> dict[str, int]:
    """Return the shape keys that are expressions: name to index in `BLENDSHAPES`.

    A key for one half of an expression that has no side ("browInnerUp_L") takes the whole.
    """
    matched = {name: _index(_plain(name)) for name in names}
    return {name: index for name, index in matched.items() if index is not None}


def _plain(name: str) -> str:
    """Return a name's letters, without prefix and case, its side in full."""
    match = _NAME.fullmatch(name.lower())
    if match is None:
        return ""
    side = match["side"] or ""
    return re.sub(r"[^a-z0-9]", "", match["stem"]) + {"l": "left", "r": "right"}.get(side, side)


def _index(plain: str) -> int | None:
    return _INDICES.get(plain, _INDICES.get(re.sub("(left|right)$", "", plain)))
