"""The world: its floor and origin, and bodies placed in it from the camera frame."""
