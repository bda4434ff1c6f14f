"""Follows a robot's stream with capsules in MuJoCo: python examples/09_robot_mujoco.py [tcp://127.0.0.1:5557]

A second argument is a picture file for one frame; without a display, set MUJOCO_GL=egl (or osmesa). Needs mujoco,
pyzmq, scipy and opencv-python. The body is set down on its lowest joint, and does not balance.
"""

import sys
from importlib import import_module

import cv2
import mujoco.viewer
import numpy as np
import zmq
from scipy.spatial.transform import Rotation

read = import_module("08_robot_subscriber").read
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)  # SMPL's joints
WIDE_M = {0: 0.1, 3: 0.1, 6: 0.11, 9: 0.06, 15: 0.09, 22: 0.03, 23: 0.03}  # limbs have 5 cm
BASE = Rotation.from_quat([0.5, 0.5, 0.5, 0.5])  # from SMPL's axes to the robot's root
SCENE = """<mujoco><worldbody><light pos="1 -3 4" dir="-1 3 -4"/><geom type="plane" size="4 4 .1" rgba=".7 .75 .8 1"/>
<camera name="front" pos="0 -2.8 1" xyaxes="1 0 0 0 0 1"/>%s</worldbody></mujoco>"""


def capsules(joint, bones):
    children = [child for child in range(24) if PARENTS[child] == joint]
    ends = [bones[child] for child in children] or [np.array([0, 0.09, 0]) if joint == 15 else 0.5 * bones[joint]]
    shape = f'<geom type="capsule" size="{WIDE_M.get(joint, 0.05)}" rgba=".9 .55 .25 1" fromto="0 0 0 %s %s %s"/>'
    parts = "".join([shape % tuple(end) for end in ends] + [capsules(child, bones) for child in children])
    kind = f'<joint type="{"ball" if joint else "free"}" name="{joint}"/>'
    return f'<body pos="{" ".join(map(str, bones[joint]))}">{kind}{parts}</body>'


def main(address="tcp://127.0.0.1:5557", picture_file=None, window=None, model=None):
    socket = zmq.Context().socket(zmq.SUB)
    socket.subscribe(b"pose")
    socket.connect(address)
    while window is None or window.is_running():
        fields, still = read(socket.recv())[1], [Rotation.identity()]
        root = Rotation.from_quat(np.roll(fields["body_quat"], -1)) * BASE
        turns = [root, *map(Rotation.from_rotvec, fields["smpl_pose"]), *still, *still]
        if model is None:  # made with the bones that the first frame shows
            places, above, bones = BASE.inv().apply(fields["smpl_joints"]), still, np.zeros((24, 3))
            for joint, up in enumerate(PARENTS[1:], 1):
                bones[joint] = above[up].inv().apply(places[joint] - places[up])
                above.append(above[up] * turns[joint])
            data = mujoco.MjData(model := mujoco.MjModel.from_xml_string(SCENE % capsules(0, bones)))
        for joint, turn in enumerate(turns):
            data.joint(str(joint)).qpos[-4:] = np.roll(turn.as_quat(), 1)
        mujoco.mj_kinematics(model, data)
        data.joint("0").qpos[2] += 0.05 - data.xpos[1:, 2].min()
        mujoco.mj_forward(model, data)
        if picture_file:
            with mujoco.Renderer(model, 480, 640) as renderer:
                renderer.update_scene(data, "front")
                return cv2.imwrite(picture_file, renderer.render()[:, :, ::-1])
        (window := window or mujoco.viewer.launch_passive(model, data)).sync()


if __name__ == "__main__":
    main(*sys.argv[1:])
