"""A network camera on loopback: MJPEG over HTTP, with the time and the frame number written into the pixels."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

_BIT_PX = 16  # a black or white square per bit survives JPEG and scaling by half
_BITS = 64


def write_stamp(image: NDArray[np.uint8], index: int, t_seconds: float) -> None:
    """Write the frame number and the monotonic time (whole microseconds) into the top two rows of squares."""
    for row, value in enumerate((index, round(t_seconds * 1e6))):
        bits = (value >> np.arange(_BITS, dtype=np.uint64)) & 1 if value else np.zeros(_BITS, dtype=int)
        squares = np.repeat(np.asarray(bits, dtype=np.uint8) * 255, _BIT_PX)[: image.shape[1]]
        image[row * _BIT_PX : (row + 1) * _BIT_PX, : squares.size] = squares[None, :, None]


def read_stamp(image: NDArray[np.uint8]) -> tuple[int, float]:
    """The frame number and the time in seconds that `write_stamp` put in."""
    centres = np.arange(min(_BITS, image.shape[1] // _BIT_PX)) * _BIT_PX + _BIT_PX // 2
    values = []
    for row in range(2):
        bits = image[row * _BIT_PX + _BIT_PX // 2, centres].mean(axis=-1) > 127
        values.append(sum(1 << i for i, bit in enumerate(bits.tolist()) if bit))
    return values[0], values[1] / 1e6


def noise_card(width: int, height: int) -> Callable[[int], NDArray[np.uint8]]:
    """The same coarse colour noise for every index: a picture that costs a JPEG decoder what a real one does."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    card = np.asarray(cv2.resize(coarse, (width, height)), np.uint8)
    return lambda index: card.copy()


class NetworkCamera:
    """Serves `picture(index)` at `fps` to every client until closed. Use as a context manager.

    `width` must be at least 1024 pixels for the stamp to fit; `stamp=False` leaves the pictures as they are.
    `drop()`, `freeze()`, `send_next()` and `refuse()` make it misbehave.
    """

    def __init__(
        self,
        *,
        fps: float = 30.0,
        width: int = 1280,
        height: int = 720,
        picture: Callable[[int], NDArray[np.uint8]] | None = None,
        stamp: bool = True,
        quality: int = 85,
        port: int = 0,
    ) -> None:
        self.fps = fps
        self.sent = 0  # pictures sent to any client
        self.connections = 0  # clients that ever connected
        self.frozen = threading.Event()
        self.refusing = threading.Event()
        self._picture = picture or noise_card(width, height)
        self._stamp = stamp
        self._quality = quality
        self._port = port
        self._bad: list[bytes] = []
        self._stopping = threading.Event()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/video.mjpg"

    def __enter__(self) -> NetworkCamera:
        self._server = socket.create_server(("127.0.0.1", self._port))
        self._port = self._server.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="network-camera", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._acceptor.join()
        self.drop()

    def drop(self) -> None:
        """Close every connection; new ones are accepted."""
        with self._lock:
            clients = dict(self._clients)
        for client in clients:
            _hang_up(client)
        for thread in clients.values():
            thread.join()

    def freeze(self) -> None:
        """Keep the connections open and send nothing on them; clients that connect anew are served."""
        self.frozen.set()

    def refuse(self, on: bool = True) -> None:
        """Hang up on every new client before it gets an answer, or stop doing so."""
        (self.refusing.set if on else self.refusing.clear)()

    def send_next(self, body: bytes) -> None:
        """Send these bytes once in place of the next JPEG."""
        with self._lock:
            self._bad.append(body)

    def open_connections(self) -> int:
        with self._lock:
            return len(self._clients)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.refusing.is_set():
                client.close()
                continue
            # A client that connects after a freeze is served again, as by a camera whose old stream is stuck.
            self.connections += 1
            self.frozen.clear()
            thread = threading.Thread(target=self._serve, args=(client,), name="network-camera-client", daemon=True)
            with self._lock:
                self._clients[client] = thread
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        frozen = False
        try:
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
            start, ticks = time.monotonic(), 0
            while not self._stopping.wait(max(0.0, start + ticks / self.fps - time.monotonic())):
                ticks += 1
                frozen = frozen or self.frozen.is_set()
                if frozen:
                    if not client.recv(1):
                        return
                    continue
                body = self._next_body()
                client.sendall(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(body), body)
                )
                self.sent += 1
        except OSError:
            return
        finally:
            with self._lock:
                self._clients.pop(client, None)
            client.close()

    def _next_body(self) -> bytes:
        with self._lock:
            if self._bad:
                return self._bad.pop(0)
        image = self._picture(self.sent)
        if self._stamp:
            image = image.copy()
            write_stamp(image, self.sent, time.monotonic())
        return jpeg(image, self._quality)


def jpeg(image: NDArray[np.uint8], quality: int = 85) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims a picture of this size."""
    body = bytearray(jpeg(np.zeros((16, 16, 3), np.uint8)))
    at = body.index(b"\xff\xc0")
    body[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(body)


def _hang_up(client: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it hung up first
        client.shutdown(socket.SHUT_RDWR)
