"""A picture of a character, drawn by Cycles on the CPU: the body beside itself, skinned and as its bare armature."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

_APART_M = 1.2


def render(ob: Any, path: str) -> None:
    """Draw the armature object, whose bones Cycles cannot see, as rods and balls, with its body beside them."""
    scene = bpy.context.scene
    pelvis = np.array(ob.matrix_world @ ob.pose.bones["pelvis"].head)
    for skin in ob.children:
        skin.data.materials.append(_material("skin", (0.55, 0.36, 0.26, 1)))
    bone_material = _material("bones", (0.9, 0.55, 0.1, 1))
    beside = np.array((-_APART_M, 0, 0))
    for bone in ob.pose.bones:
        ends = (np.array(ob.matrix_world @ end) + beside for end in (bone.head, bone.tail))
        _rod(*ends, bone_material)
    bpy.ops.mesh.primitive_plane_add(size=30)
    bpy.context.object.data.materials.append(_material("floor", (0.6, 0.62, 0.65, 1)))
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (math.radians(50), math.radians(10), math.radians(-30))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (pelvis[0] - _APART_M / 2, pelvis[1] - 5.2, 1.15)
    camera.rotation_euler = (math.radians(88), 0, 0)
    for added in (sun, camera):
        scene.collection.objects.link(added)
    world = scene.world or bpy.data.worlds.new("world")
    scene.world = world
    world.color = (0.5, 0.55, 0.6)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", 24
    scene.render.resolution_x, scene.render.resolution_y = 720, 540
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def _material(name: str, color: tuple[float, ...]) -> Any:
    material = bpy.data.materials.new(name)
    material.diffuse_color = color
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = color
    shader.inputs["Roughness"].default_value = 0.6
    return material


def _rod(start: np.ndarray, end: np.ndarray, material: Any) -> None:
    direction = end - start
    length = float(np.linalg.norm(direction))
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.03, location=start)
    bpy.context.object.data.materials.append(material)
    bpy.ops.mesh.primitive_cone_add(radius1=0.028, radius2=0.006, depth=length, location=(start + end) / 2)
    tilt = (math.acos(direction[2] / length), math.atan2(direction[1], direction[0]))
    bpy.context.object.rotation_euler = (0, tilt[0], tilt[1])
    bpy.context.object.data.materials.append(material)
