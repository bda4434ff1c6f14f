"""TokenMocap Live: a Blender extension that lets armatures follow the program's stream.

bpy is imported only in `register`, so that the modules without it can be used, and tested, by any Python.
"""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the extension is turned on."""
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
    """Called by Blender when it is turned off: nothing of it stays, no timer, thread or socket."""
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
