"""Armatures, meshes and Actions in the open Blender file."""
