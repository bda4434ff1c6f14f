"""TokenMocap Live: a Blender extension whose armatures follow the program's stream.

bpy is imported only in `register`, so that other Pythons can use and test the modules without it.
"""

from __future__ import annotations


def register() -> None:
    """Register the extension; called by Blender when it is enabled."""
    import atexit

    import bpy

    from .scene import live
    from .ui import operators, panel, settings

    for cls in (*settings.CLASSES, *operators.CLASSES, *panel.CLASSES):
        bpy.utils.register_class(cls)
    settings.attach()
    bpy.app.handlers.load_post.append(live.on_file_loaded)
    atexit.register(live.disconnect)


def unregister() -> None:
    """Unregister everything, including timer, thread and socket; called by Blender when it is disabled."""
    import atexit

    import bpy

    from .scene import live
    from .ui import operators, panel, settings

    live.disconnect()
    atexit.unregister(live.disconnect)
    bpy.app.handlers.load_post.remove(live.on_file_loaded)
    settings.detach()
    for cls in reversed((*settings.CLASSES, *operators.CLASSES, *panel.CLASSES)):
        bpy.utils.unregister_class(cls)
