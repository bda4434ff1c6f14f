"""Draws everybody as a stick figure from a ZeroMQ stream: python examples/03_stick_figure.py [tcp://127.0.0.1:5555]

Start `python run_live.py --cam 0 --stream zmq://127.0.0.1:5555` beside it. Needs pyzmq, numpy, scipy and opencv-python,
not this project. The messages: docs/wire-format.md
"""

import json
import sys

import cv2
import numpy as np
import zmq
from scipy.spatial.transform import Rotation

SIZE, PIXELS_PER_METRE = 720, 300


def joints_of(person, skeleton):
    """Return (24, 3) metres in the world: the parent's position plus the offset in the parent's rotation."""
    offsets = np.array(skeleton["offsets"])
    offsets += np.array(skeleton["shape_offsets"]) @ (np.array(person["betas"]) - skeleton["betas"])
    offsets *= person.get("scale", 1)
    turns, places = [], []
    for parent, offset, quaternion in zip(skeleton["parents"], offsets, person["rotations"], strict=True):
        turn = Rotation.from_quat(quaternion)
        places.append(np.array(person["trans"]) if parent < 0 else places[parent] + turns[parent].apply(offset))
        turns.append(turn if parent < 0 else turns[parent] * turn)
    return np.array(places)


def main(address="tcp://127.0.0.1:5555", picture_file=None):
    """Draw until a key is pressed; with a second argument, draw one frame into that image file."""
    socket = zmq.Context().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(address)
    skeleton = None
    while picture_file or cv2.waitKey(1) < 0:
        if not socket.poll(100):
            continue
        topic, _, text = socket.recv().partition(b" ")
        message = json.loads(text)
        if message["v"] != 1:
            sys.exit(f"this program knows version 1 of the messages, not {message['v']}: update it")
        if topic == b"skeleton":
            skeleton = message
        elif topic == b"pose" and skeleton:
            picture = np.zeros((SIZE, SIZE, 3), np.uint8)
            for person in message["people"]:  # from the front: x to the right, y up
                front = joints_of(person, skeleton)[:, :2] * [1, -1]
                points = (front * PIXELS_PER_METRE + [SIZE / 2, 0.9 * SIZE]).astype(int)
                for joint, parent in enumerate(skeleton["parents"][1:], 1):
                    cv2.line(picture, points[parent].tolist(), points[joint].tolist(), (80, 220, 255), 3, cv2.LINE_AA)
            if picture_file and message["people"]:
                return cv2.imwrite(picture_file, picture)
            if not picture_file:
                cv2.imshow("stick figures", picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
