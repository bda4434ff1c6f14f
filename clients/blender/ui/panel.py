# ruff: noqa: N801 - Blender wants its own class names
"""The tab in the 3D view's sidebar."""

from __future__ import annotations

import textwrap

import bpy

from ..scene import live
from ..stream.take import ANYONE

_WIDTH = 42  # characters of a line in a sidebar of the usual width


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "TokenMocap"


class TOKENMOCAP_PT_connection(_Panel, bpy.types.Panel):
    bl_label = "TokenMocap Live"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, receiver = self.layout, context.scene.tokenmocap, live.receiver()
        if receiver is None:
            layout.prop(settings, "address")
            layout.prop(settings, "key_file")
            layout.operator("tokenmocap.connect", icon="LINKED")
            return
        link = receiver.link()
        _say(layout, link.line, "CHECKMARK" if link.is_live else "ERROR")
        if link.is_live:
            people = len(link.person_ids)
            layout.label(text=f"{link.fps:.0f} poses/s, {people} {'person' if people == 1 else 'people'}")
        if link.refused:
            layout.label(text=f"{link.refused} messages were not understood", icon="ERROR")
        layout.operator("tokenmocap.disconnect", icon="UNLINKED")
        row = layout.row()
        row.prop(settings, "is_live", toggle=True)
        row.prop(settings, "delay_ms")


class TOKENMOCAP_PT_character(_Panel, bpy.types.Panel):
    bl_label = "Character"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, ob = self.layout, context.scene.tokenmocap, context.object
        layout.prop(settings, "body_file")
        layout.prop(settings, "with_mesh")
        layout.operator("tokenmocap.create", icon="OUTLINER_OB_ARMATURE").person = ANYONE
        if ob is None or ob.type != "ARMATURE":
            return
        box = layout.box()
        box.label(text=ob.name, icon="ARMATURE_DATA")
        if not ob.tokenmocap.is_driven:
            box.prop(settings, "bone_map")
            if settings.bone_map == "FILE":
                box.prop(settings, "bone_map_file")
            box.operator("tokenmocap.bind", icon="CONSTRAINT_BONE")
            return
        if ob.name in live.problems():
            _say(box, live.problems()[ob.name], "ERROR")
        box.label(text="Follows")
        row = box.row(align=True)
        receiver = live.receiver()
        seen = receiver.link().person_ids if receiver is not None else ()
        for person in sorted({ANYONE, ob.tokenmocap.person, *seen}):
            text = "Anybody" if person == ANYONE else str(person)
            row.operator("tokenmocap.follow", text=text, depress=person == ob.tokenmocap.person).person = person
        row = box.row(align=True)
        row.prop(ob.tokenmocap, "with_hands", toggle=True)
        row.prop(ob.tokenmocap, "with_face", toggle=True)
        box.prop(ob.tokenmocap, "leave_unseen")
        if not ob.tokenmocap.bone_map:
            box.operator("tokenmocap.fit", icon="FULLSCREEN_ENTER")
        box.operator("tokenmocap.unbind", icon="X")


class TOKENMOCAP_PT_record(_Panel, bpy.types.Panel):
    bl_label = "Record"

    def draw(self, context: bpy.types.Context) -> None:
        layout, receiver = self.layout, live.receiver()
        layout.prop(context.scene.tokenmocap, "whole_frames")
        length = receiver.take_length if receiver is not None else None
        if length is None:
            layout.operator("tokenmocap.record", icon="REC")
        else:
            layout.label(text=f"{length} poses kept")
            layout.operator("tokenmocap.finish", icon="SNAP_FACE")


CLASSES = (TOKENMOCAP_PT_connection, TOKENMOCAP_PT_character, TOKENMOCAP_PT_record)


def _say(layout: bpy.types.UILayout, text: str, icon: str) -> None:
    for index, line in enumerate(textwrap.wrap(text, _WIDTH)):
        layout.label(text=line, icon=icon if index == 0 else "BLANK1")
