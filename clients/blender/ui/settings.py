"""Defines the settings in a .blend: the connection on the scene, the followed person on each armature."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..stream.take import ANYONE


class TokenMocapScene(bpy.types.PropertyGroup):
    address: StringProperty(
        name="Address", description="Where the program streams to (--stream zmq://...)", default="tcp://127.0.0.1:5555"
    )
    key_file: StringProperty(
        name="Key", description="A client's key file, for a stream with ?curve=", subtype="FILE_PATH"
    )
    delay_ms: FloatProperty(
        name="Buffer", description="Delay that evens out the motion, in milliseconds; 0 shows the newest pose at once",
        default=50, min=0, max=500, step=500, precision=0,
    )  # fmt: skip
    is_live: BoolProperty(name="Live", description="Armatures follow the stream", default=True)
    body_file: StringProperty(
        name="Body", description="The body's .npz, if the program runs with one of your own (--body)",
        subtype="FILE_PATH",
    )  # fmt: skip
    with_mesh: BoolProperty(name="With the body's mesh", default=True)
    bone_map: EnumProperty(
        name="Bones",
        description="Which bones the selected armature has",
        items=[
            ("mixamo", "Mixamo", ""),
            ("rigify", "Rigify rig", "The FK controls of a generated rig"),
            ("rigify_metarig", "Rigify metarig", ""),
            ("FILE", "From a file", "A bone map of your own"),
        ],
    )
    bone_map_file: StringProperty(name="File", description="A bone map (.json)", subtype="FILE_PATH")
    whole_frames: BoolProperty(
        name="Keys on whole frames",
        description="Resample the take to the scene's frames; off: a key for each received pose, at its own time",
        default=False,
    )


class TokenMocapObject(bpy.types.PropertyGroup):
    is_driven: BoolProperty(name="Follows", description="This armature follows the stream")
    person: IntProperty(name="Person", description="Whom it follows; -1 for anybody", default=ANYONE, min=ANYONE)
    leave_unseen: BoolProperty(
        name="Leave unseen limbs",
        description="Bones of limbs that nobody sees stay as you pose them; off: they come to rest as the program says",
        default=False,
    )
    with_hands: BoolProperty(
        name="Fingers", description="Fingers follow; off: they stay as you pose them", default=True
    )
    with_face: BoolProperty(
        name="Face", description="Eyes, and shape keys with the names of ARKit's expressions, follow", default=True
    )
    bone_map: StringProperty()  # JSON: the bones, and the T-pose when it was bound; empty for an armature of ours


CLASSES = (TokenMocapScene, TokenMocapObject)


def attach() -> None:
    bpy.types.Scene.tokenmocap = PointerProperty(type=TokenMocapScene)
    bpy.types.Object.tokenmocap = PointerProperty(type=TokenMocapObject)


def detach() -> None:
    del bpy.types.Object.tokenmocap
    del bpy.types.Scene.tokenmocap
