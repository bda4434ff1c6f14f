"""The world: its axes, floor and origin, and bodies placed in it from the camera frame.

`turned` is a body in the world's axes, `floor` a height over time, `world` joins them. Imports kernel.
"""
