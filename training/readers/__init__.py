"""Readers of published data: one module a form. Poses become `PoseClip`s, images of people become `Sample`s."""
