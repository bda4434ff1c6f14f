"""What runs while the camera is on."""

from engine.command import quiet_start

quiet_start("realtime")
