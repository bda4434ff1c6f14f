"""Client of tokenmocap's live stream: `for frame in connect("tcp://127.0.0.1:5555")`.

Metres, seconds and radians; Y up, a body at identity faces +Z; quaternions are x, y, z, w, and local to the parent.
"""

from .connection import Connection, connect
from .frame import Face, Frame, Hand, Person, Status
from .skeleton import FINGER_NAMES, JOINT_NAMES, Skeleton
from .wire import StreamError

__all__ = [
    "FINGER_NAMES",
    "JOINT_NAMES",
    "Connection",
    "Face",
    "Frame",
    "Hand",
    "Person",
    "Skeleton",
    "Status",
    "StreamError",
    "connect",
]
