"""Run by a Python that has bpy: an armature a person follows by id; writes down what came of it.

python people_in_blender.py EXTENSION.zip ADDRESS OUT.npz SECONDS
"""

from __future__ import annotations

import sys

import bpy
import numpy as np
from blender_driver import SECONDS, heads, part, play, shown, wait_for, written  # beside this script

ZIP, ADDRESS, OUT = sys.argv[1:4]
IDS = (4, 2)


def main() -> None:
    scene = bpy.context.scene
    scene.tokenmocap.address, scene.tokenmocap.with_mesh = ADDRESS, False
    bpy.ops.tokenmocap.connect()
    receiver = part("scene.live").receiver()
    wait_for(lambda: receiver.skeleton is not None and receiver.newest() is not None)
    armatures = []
    for person in IDS:
        bpy.ops.tokenmocap.create(person=person)
        armatures.append(bpy.context.object)
    play(0.3)
    bpy.ops.tokenmocap.record()
    times: list[list[float]] = []
    pelvises: list[np.ndarray] = []

    def watch() -> None:
        times.append([shown(ob) for ob in armatures])
        pelvises.append(np.array([heads(ob, ["pelvis"])[0] for ob in armatures]))

    play(SECONDS, watch)
    scene.render.fps, scene.frame_current = 30, 1
    bpy.ops.tokenmocap.finish()
    written.update(times=times, pelvises=pelvises)
    written["actions"] = [ob.animation_data.action.name for ob in armatures]
    played = []
    for frame in (10, 40):
        scene.frame_set(frame)
        played.append([heads(ob, ["pelvis"])[0] for ob in armatures])
    written["played"] = played
    bpy.ops.tokenmocap.disconnect()


if __name__ == "__main__":
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    main()
    np.savez(OUT, **written)
