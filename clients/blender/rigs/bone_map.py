"""Maps joints to the bones of an armature: presets as JSON files, and the user's own. Without bpy.

A file holds {"name": ..., "bones": {joint: bone or [bones]}, "settings": [{"bone", "property", "value"}]}. `settings`
are custom properties that a control rig needs (Rigify: forward kinematics on). A bone name matches with or without a
prefix that ends in a colon ("mixamorig:Hips").
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..joints import ALL_NAMES, JOINT_NAMES

PRESETS = Path(__file__).with_name("presets")


class BoneMapError(ValueError):
    """Bone map that cannot be used; one line with the remedy."""


@dataclass(frozen=True)
class Preset:
    name: str
    bones: dict[str, list[str]]  # joint -> bones
    settings: tuple[tuple[str, str, float], ...]  # bone, custom property, value


def load_preset(path: Path) -> Preset:
    """Read and check a bone map. Raises BoneMapError."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoneMapError(f"cannot read the bone map {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BoneMapError(f"the bone map {path} is not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("bones"), dict):
        raise BoneMapError(f'the bone map {path} has no \'bones\': write {{"bones": {{"pelvis": "Hips", ...}}}}')
    unknown = [joint for joint in fields["bones"] if joint not in ALL_NAMES]
    if unknown:
        raise BoneMapError(f"the bone map {path} names unknown joints {', '.join(unknown)}; known: {ALL_NAMES}")
    settings = fields.get("settings", [])
    if not isinstance(settings, list) or not all(isinstance(entry, dict) for entry in settings):
        raise BoneMapError(f'the bone map {path}: \'settings\' is a list of {{"bone", "property", "value"}}')
    return Preset(
        name=str(fields.get("name", path.stem)),
        bones={joint: _names(path, joint, value) for joint, value in fields["bones"].items()},
        settings=tuple(_setting(path, entry) for entry in settings),
    )


def matched(preset: Preset, bone_names: Iterable[str], armature: str) -> dict[str, list[str]]:
    """Return the map in the armature's own bone names, without fingers and eyes that it lacks.

    Raises BoneMapError that lists every missing bone of the body.
    """
    by_name = {name.rpartition(":")[2]: name for name in bone_names}
    wanted = {joint: [bone.rpartition(":")[2] for bone in bones] for joint, bones in preset.bones.items()}
    wanted = {joint: bones for joint, bones in wanted.items() if joint in JOINT_NAMES or by_name.keys() >= set(bones)}
    missing = [bone for bones in wanted.values() for bone in bones if bone not in by_name]
    if missing:
        raise BoneMapError(
            f"'{armature}' lacks {len(missing)} bones of the map '{preset.name}': {', '.join(missing)}; "
            "choose another map, or copy the map's file and put this armature's names in"
        )
    return {joint: [by_name[bone] for bone in bones] for joint, bones in wanted.items()}


def _names(path: Path, joint: str, value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise BoneMapError(f"the bone map {path}: '{joint}' needs a bone's name or a list of them")
    return names


def _setting(path: Path, entry: dict[str, Any]) -> tuple[str, str, float]:
    bone, name, value = (entry.get(key) for key in ("bone", "property", "value"))
    if not isinstance(bone, str) or not isinstance(name, str) or not isinstance(value, int | float):
        raise BoneMapError(f"the bone map {path}: a setting needs a bone, a property and a number as its value")
    return bone, name, float(value)
