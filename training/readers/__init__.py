"""Readers of published data: one module a form. Poses become `PoseClip`s, pictures of people become `Sample`s."""
