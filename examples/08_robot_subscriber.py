"""Checks a robot's stream, and prints a line a second: python examples/08_robot_subscriber.py [tcp://127.0.0.1:5557]

Start `python run_live.py --cam 0 --stream sonic://127.0.0.1:5557` beside it. Needs pyzmq and numpy, not this project.
The fields: docs/robots.md
"""

import json
import sys
import time

import numpy as np
import zmq

HEADER_BYTES = 1280
TYPES = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "i64": "<i8", "bool": "?", "u8": "u1"}
SHAPES = {"smpl_joints": (24, 3), "smpl_pose": (21, 3), "body_quat": (4,), "frame_index": ()}
ROBOT = {"joint_pos": (29,), "joint_vel": (29,)}  # in version 3 only


def read(message):
    """Return the protocol's version and the fields of the message's one frame."""
    assert message.startswith(b"pose"), "another topic"
    header, at, fields = json.loads(message[4 : 4 + HEADER_BYTES].rstrip(b"\0")), 4 + HEADER_BYTES, {}
    for field in header["fields"]:
        values = np.frombuffer(message, TYPES[field["dtype"]], int(np.prod(field["shape"])), at)
        fields[field["name"]], at = values.reshape(field["shape"])[0], at + values.nbytes
    assert at == len(message), "bytes that the header does not describe"
    return header["v"], fields


def check(version, fields, last):
    """Refuse a frame that a robot should not get; `last` is the index before."""
    expected = SHAPES | (ROBOT if version == 3 else {})
    assert {name: value.shape for name, value in fields.items()} == expected, "other fields or shapes"
    assert all(np.isfinite(value).all() for value in fields.values()), "a number that is none"
    assert abs(np.linalg.norm(fields["body_quat"]) - 1) < 1e-4, "body_quat is no rotation"
    assert not fields["smpl_joints"][0].any(), "joints are not relative to the pelvis"
    assert last is None or fields["frame_index"] == last + 1, "a frame is missing"


def main(address="tcp://127.0.0.1:5557", seconds="inf"):
    """Check every frame for that long."""
    socket, ends, last = zmq.Context().socket(zmq.SUB), time.monotonic() + float(seconds), None
    socket.subscribe(b"pose")
    socket.connect(address)
    while time.monotonic() < ends:
        times, told = [], time.monotonic() + 1
        while (left_s := told - time.monotonic()) > 0:
            if socket.poll(1000 * left_s):
                version, fields = read(socket.recv())
                times.append(time.monotonic())
                check(version, fields, last)
                last = fields["frame_index"]
        off_ms = 1e3 * np.abs(np.diff(times) - 0.02).mean() if len(times) > 1 else 0.0
        print(f"{len(times)} frames, {off_ms:.1f} ms off 50 Hz on average, frame {last}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
