"""A network camera that sends its callers on: to itself, or elsewhere. Real sockets on loopback, read by OpenCV."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from realtime.capture.factory import quiet_libraries
from realtime.capture.redirect import redirected
from realtime.capture.source import SourceError
from realtime.capture.url import UrlSource
from tests.network_camera import NetworkCamera, jpeg, noise_card

Answer = Callable[[str], bytes]  # by the first line of a request


class Server:
    """Answers every request of every client as told, then hangs up."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, name="redirecting-camera", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                client.settimeout(5.0)
                while request := client.recv(4096).decode():
                    self.asked.append(request)
                    client.sendall(self._answer(request))
                    if "HTTP/" in request:
                        return
            except OSError:
                return


@contextmanager
def server(answer: Answer) -> Iterator[Server]:
    quiet_libraries()
    it = Server(answer)
    try:
        yield it
    finally:
        it.close()


def moved(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.0 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def stream() -> bytes:
    body = jpeg(noise_card(320, 240)(0))
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(body), body)
    return b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n" + 20 * part


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_address_is_named_and_not_connected_to(status: int) -> None:
    with NetworkCamera(fps=60) as elsewhere, server(lambda request: moved(elsewhere.url, status)) as camera:
        with pytest.raises(SourceError, match="sends on to another address") as caught:
            UrlSource(f"http://user:secret@127.0.0.1:{camera.port}/video").open()
        assert elsewhere.connections == 0
    assert elsewhere.url in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("location", ["/moved?a=1", "http://127.0.0.1:{port}/moved?a=1"])
def test_the_same_camera_is_followed_with_its_password(location: str) -> None:
    def answer(request: str) -> bytes:
        return moved(location.format(port=camera.port)) if request.startswith("GET /video ") else stream()

    with server(answer) as camera:
        source = UrlSource(f"http://user:secret@127.0.0.1:{camera.port}/video")
        source.open()
        image, _ = source.read()
        source.close()
        assert image.shape == (240, 320, 3)
        last = camera.asked[-1]
        assert last.startswith("GET /moved?a=1 ")
        assert source.description == f"http://127.0.0.1:{camera.port}/video"
        assert redirected(f"http://user:secret@127.0.0.1:{camera.port}/video", 5.0) == (
            f"http://user:secret@127.0.0.1:{camera.port}/moved?a=1"
        )


def test_a_camera_that_sends_round_in_circles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.capture.url.OPEN_TIMEOUT_S", 0.5)
    with (
        server(lambda request: moved("/video")) as camera,
        pytest.raises(SourceError, match="no stream at http"),
    ):
        UrlSource(f"http://127.0.0.1:{camera.port}/video").open()


def test_a_playlist_cannot_send_the_program_elsewhere() -> None:
    def answer(request: str) -> bytes:
        lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:9,", f"http://127.0.0.1:{elsewhere.port}/a.ts")
        playlist = "\n".join([*lines, "#EXT-X-ENDLIST\n"])
        head = f"HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\nContent-Length: {len(playlist)}"
        return f"{head}\r\n\r\n{playlist}".encode()

    with server(lambda request: b"") as elsewhere, server(answer) as camera:
        with pytest.raises(SourceError, match="no stream at"):
            UrlSource(f"http://127.0.0.1:{camera.port}/live.m3u8").open()
        assert elsewhere.asked == []


def test_rtsp_that_sends_on_elsewhere_is_not_followed() -> None:
    def answer(request: str) -> bytes:
        number = next(line for line in request.split("\r\n") if line.startswith("CSeq"))
        if request.startswith("OPTIONS"):
            return f"RTSP/1.0 200 OK\r\n{number}\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n".encode()
        return f"RTSP/1.0 302 Moved\r\n{number}\r\nLocation: rtsp://127.0.0.1:{elsewhere.port}/x\r\n\r\n".encode()

    with server(lambda request: b"") as elsewhere, server(answer) as camera:
        with pytest.raises(SourceError, match=r"rtsp://127\.0\.0\.1:\d+/video sends on to another address, rtsp://"):
            UrlSource(f"rtsp://127.0.0.1:{camera.port}/video").open()
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("here", "location", "there"),
    [
        ("http", "https://127.0.0.1/video", "https://127.0.0.1/video"),
        ("http", "//127.0.0.1:{port}/b", "http://127.0.0.1:{port}/b"),
        ("http", "http://localhost:{port}/b", None),
        ("http", "http://127.0.0.1:1/b", None),
        ("http", "http://127.0.0.1:99999/b", None),
        ("http", "file:///etc/passwd", None),
        ("http", "rtsp://127.0.0.1:{port}/b", None),
        ("http", "http://127.0.0.1:{port}@evil.example/b", None),
    ],
)
def test_what_counts_as_the_same_camera(here: str, location: str, there: str | None) -> None:
    with server(lambda request: moved(location.format(port=camera.port))) as camera:
        url = f"{here}://127.0.0.1:{camera.port}/video"
        if there is None:
            with pytest.raises(SourceError, match="another address"):
                redirected(url, 5.0)
        else:
            assert redirected(url, 5.0) == there.format(port=camera.port)


@pytest.mark.parametrize(
    "answer", [b"", b"\r\n\r\n", b"HTTP/1.0 x\r\n\r\n", b"HTTP/1.0 302 Moved\r\n\r\n", 9 * b"spam\r\n"]
)
def test_answers_that_are_none_send_on_to_nowhere(answer: bytes) -> None:
    with server(lambda request: answer) as camera:
        assert redirected(f"http://127.0.0.1:{camera.port}/video", 1.0) is None
