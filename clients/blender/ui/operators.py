# ruff: noqa: N801 - Blender wants its own class names
"""The panel's buttons."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from bpy.props import IntProperty

from ..joints import NUM_JOINTS
from ..protocol import Skeleton
from ..rigs.body import Body, BodyError, bundled, load_body
from ..rigs.bone_map import PRESETS, BoneMapError, load_preset
from ..rigs.rig import RigError
from ..scene import armature, face, live, mesh
from ..scene.record import write_action, write_face
from ..scene.retarget import bind_mapped, bind_smpl, rig_of
from ..stream.receiver import ConnectError, load_keys
from ..stream.take import ANYONE, chosen, motion_of, resampled

_NO_SKELETON = "nothing has come in yet: connect to the running program first"


class TOKENMOCAP_OT_connect(bpy.types.Operator):
    bl_idname = "tokenmocap.connect"
    bl_label = "Connect"
    bl_description = "Listen to the address"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.tokenmocap
        try:
            keys = load_keys(_path(settings.key_file)) if settings.key_file else None
            live.connect(settings.address, keys, settings.delay_ms / 1000)
        except ConnectError as error:
            return _refuse(self, error)
        settings.is_live = True
        return {"FINISHED"}


class TOKENMOCAP_OT_disconnect(bpy.types.Operator):
    bl_idname = "tokenmocap.disconnect"
    bl_label = "Disconnect"
    bl_description = "Stop listening"

    def execute(self, context: bpy.types.Context) -> set[str]:
        live.disconnect()
        return {"FINISHED"}


class TOKENMOCAP_OT_create(bpy.types.Operator):
    bl_idname = "tokenmocap.create"
    bl_label = "Create Character"
    bl_description = "Make an armature (and body) with the person's proportions, which follows the stream"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own interface

    person: IntProperty(default=ANYONE, min=ANYONE)

    def execute(self, context: bpy.types.Context) -> set[str]:
        skeleton = _skeleton()
        if skeleton is None:
            return _refuse(self, _NO_SKELETON)
        try:
            body = _body(context, skeleton) if context.scene.tokenmocap.with_mesh else None
        except BodyError as error:
            return _refuse(self, f"{error}; or turn the mesh off")
        shape = _shape(self.person)
        ob = armature.create(context, "TokenMocap", _rest_joints(skeleton, body, shape))
        if body is not None:
            mesh.create(ob, body, *shape)
        ob.tokenmocap.person = self.person
        bind_smpl(ob)
        live.forget_armatures()
        return {"FINISHED"}


class TOKENMOCAP_OT_fit(bpy.types.Operator):
    bl_idname = "tokenmocap.fit"
    bl_label = "Fit Proportions"
    bl_description = "Give the armature, and its body, the proportions that the person has now"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        ob = context.object
        return ob is not None and ob.type == "ARMATURE" and ob.tokenmocap.is_driven and not ob.tokenmocap.bone_map

    def execute(self, context: bpy.types.Context) -> set[str]:
        ob, skeleton = context.object, _skeleton()
        if skeleton is None:
            return _refuse(self, _NO_SKELETON)
        shape = _shape(ob.tokenmocap.person)
        skins = mesh.skins(ob)
        try:
            body = _body(context, skeleton) if skins else None
        except BodyError as error:
            return _refuse(self, error)
        armature.set_rest(context, ob, _rest_joints(skeleton, body, shape))
        if body is not None:
            for skin in skins:
                mesh.set_rest(skin, body, *shape)
        live.forget_armatures()
        return {"FINISHED"}


class TOKENMOCAP_OT_bind(bpy.types.Operator):
    bl_idname = "tokenmocap.bind"
    bl_label = "Retarget to This Armature"
    bl_description = "Let the active armature follow the stream, by the chosen bone map"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.object is not None and context.object.type == "ARMATURE" and context.object.mode != "EDIT"

    def execute(self, context: bpy.types.Context) -> set[str]:
        ob, settings, skeleton = context.object, context.scene.tokenmocap, _skeleton()
        if skeleton is None:
            return _refuse(self, _NO_SKELETON)
        chosen_file = settings.bone_map_file if settings.bone_map == "FILE" else ""
        if settings.bone_map == "FILE" and not chosen_file:
            return _refuse(self, "choose the bone map's file first")
        try:
            preset = load_preset(_path(chosen_file) if chosen_file else PRESETS / f"{settings.bone_map}.json")
            bind_mapped(ob, preset, skeleton.rest_joints(*_shape(ob.tokenmocap.person)))
        except (BoneMapError, RigError) as error:
            return _refuse(self, error)
        live.forget_armatures()
        return {"FINISHED"}


class TOKENMOCAP_OT_unbind(bpy.types.Operator):
    bl_idname = "tokenmocap.unbind"
    bl_label = "Stop Following"
    bl_description = "Leave the active armature as it stands"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.object is not None and context.object.tokenmocap.is_driven

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.object.tokenmocap.is_driven = False
        live.forget_armatures()
        return {"FINISHED"}


class TOKENMOCAP_OT_follow(bpy.types.Operator):
    bl_idname = "tokenmocap.follow"
    bl_label = "Follow"
    bl_description = "Whom the active armature follows"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    person: IntProperty(default=ANYONE, min=ANYONE)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.object is not None and context.object.tokenmocap.is_driven

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.object.tokenmocap.person = self.person
        live.forget_armatures()
        return {"FINISHED"}


class TOKENMOCAP_OT_record(bpy.types.Operator):
    bl_idname = "tokenmocap.record"
    bl_label = "Record"
    bl_description = "Keep every pose from now on"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        receiver = live.receiver()
        return receiver is not None and receiver.take_length is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if (receiver := live.receiver()) is not None:
            receiver.start_take()
        context.scene.tokenmocap.is_live = True
        return {"FINISHED"}


class TOKENMOCAP_OT_finish(bpy.types.Operator):
    bl_idname = "tokenmocap.finish"
    bl_label = "Stop and Make Actions"
    bl_description = "Write what was kept to an Action of each armature that follows, from the current frame on"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        receiver = live.receiver()
        return receiver is not None and receiver.take_length is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, settings = context.scene, context.scene.tokenmocap
        receiver = live.receiver()
        take = receiver.stop_take() if receiver is not None else []
        rate_hz = scene.render.fps / scene.render.fps_base
        written = []
        for ob in [ob for ob in scene.objects if ob.type == "ARMATURE" and ob.tokenmocap.is_driven]:
            motion = motion_of(take, ob.tokenmocap.person)
            if motion is None:
                self.report({"WARNING"}, f"'{ob.name}' has no take: whom it follows was not seen")
                continue
            motion = resampled(motion, rate_hz) if settings.whole_frames else motion
            try:
                write_action(ob, rig_of(ob, _skeleton()), motion, scene.frame_current, rate_hz)
            except RigError as error:
                self.report({"WARNING"}, f"'{ob.name}' has no take: {error}")
                continue
            if ob.tokenmocap.with_face:
                write_face(face.shape_keys(ob), motion, scene.frame_current, rate_hz)
            written.append(f"'{ob.name}' {len(motion.times)} keys")
            scene.frame_end = max(scene.frame_end, int(np.ceil(scene.frame_current + motion.times[-1] * rate_hz)))
        settings.is_live = False  # else the stream would pose over the take
        if not written:
            return _refuse(self, "nothing was recorded: no armature that follows saw its person")
        self.report({"INFO"}, f"Recorded {', '.join(written)}; turn Live on to follow again")
        return {"FINISHED"}


CLASSES = (
    TOKENMOCAP_OT_connect,
    TOKENMOCAP_OT_disconnect,
    TOKENMOCAP_OT_create,
    TOKENMOCAP_OT_fit,
    TOKENMOCAP_OT_bind,
    TOKENMOCAP_OT_unbind,
    TOKENMOCAP_OT_follow,
    TOKENMOCAP_OT_record,
    TOKENMOCAP_OT_finish,
)


def _refuse(operator: bpy.types.Operator, why: object) -> set[str]:
    operator.report({"ERROR"}, str(why))
    return {"CANCELLED"}


def _path(text: str) -> Path:
    return Path(bpy.path.abspath(text))


def _skeleton() -> Skeleton | None:
    receiver = live.receiver()
    return receiver.skeleton if receiver is not None else None


def _shape(person_id: int) -> tuple[np.ndarray, float]:
    """Return the person's shape (10,) and scale now; the average ones without a person."""
    receiver = live.receiver()
    pose = receiver.newest() if receiver is not None else None
    person = chosen(pose.people, person_id, None) if pose is not None else None
    return (person.betas, person.scale) if person is not None else (np.zeros(10), 1.0)


def _rest_joints(skeleton: Skeleton, body: Body | None, shape: tuple[np.ndarray, float]) -> np.ndarray:
    """Return the stream's joints; fingers and eyes of the body if it has any, because its mesh hangs on them."""
    joints = skeleton.rest_joints(*shape)
    if body is None or len(body.joints) == NUM_JOINTS:
        return joints
    return np.concatenate([joints[:NUM_JOINTS], body.rest_joints(*shape)[NUM_JOINTS:]])


def _body(context: bpy.types.Context, skeleton: Skeleton) -> Body:
    chosen_file = context.scene.tokenmocap.body_file
    return load_body(_path(chosen_file) if chosen_file else bundled(skeleton.body_name)).fitted(skeleton)
