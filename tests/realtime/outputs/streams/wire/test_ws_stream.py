from __future__ import annotations

import contextlib
import logging
import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from realtime.outputs import parse_stream_url
from realtime.outputs.streams.url import StreamError
from realtime.outputs.streams.wire import websocket_stream
from realtime.outputs.streams.wire.websocket_stream import MAX_CLIENTS, WebSocketStream
from tests.realtime.outputs.streams.sockets import can_listen, connection, nothing_left_behind, send_garbage, wait_until

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def opened(text: str = "ws://127.0.0.1:0") -> contextlib.closing[WebSocketStream]:
    return contextlib.closing(WebSocketStream(parse_stream_url(text)))


def client(stream: WebSocketStream, **options: object) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{stream.address.port}", compression=None, proxy=None, **options)


def hears(websocket: ClientConnection, stream: WebSocketStream, word: str) -> None:
    """Repeat `word` until it arrives: a new client takes a moment to be known."""
    received: list[str | bytes] = []

    def arrived() -> bool:
        stream.send(word.encode())
        with contextlib.suppress(TimeoutError):
            while True:
                received.append(websocket.recv(timeout=0.01))
        return word in received

    wait_until(arrived)


def rests(stream: WebSocketStream) -> bool:
    """Whether the server's thread has done all that was asked of it."""
    done = threading.Event()
    stream._loop.call_soon_threadsafe(done.set)
    return done.wait(10)


def test_messages_arrive_as_text() -> None:
    with opened() as stream, client(stream) as first, client(stream) as second:
        for websocket in (first, second):
            hears(websocket, stream, 'pose {"name":"ü"}')


def test_port_zero_takes_a_free_one_and_close_frees_it() -> None:
    with nothing_left_behind():
        with opened() as stream, client(stream) as websocket:
            port = stream.address.port
            assert port > 0
            hears(websocket, stream, "hello")
            stream.close()
            stream.close()  # once more does no harm
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    websocket.recv(timeout=5)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001  # going away: a goodbye, not a broken line
        assert can_listen(port)
        with opened(f"ws://127.0.0.1:{port}") as again, client(again) as websocket:
            hears(websocket, again, "hello again")


def test_what_cannot_be_opened_is_one_line() -> None:
    with nothing_left_behind(), opened() as stream:
        for text, message in (
            (f"ws://127.0.0.1:{stream.address.port}", "is taken"),
            ("ws://192.0.2.7:1234", "no address of this machine"),
            ("ws://no.such.host.invalid:1", "there is no host"),
        ):
            with pytest.raises(StreamError, match=message) as caught:
                WebSocketStream(parse_stream_url(text))
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("origin", [None, "http://localhost", "http://127.0.0.1:8000", "https://[::1]:3000"])
def test_programs_and_local_pages_may_connect(origin: str | None) -> None:
    with opened() as stream, client(stream, origin=origin) as websocket:
        hears(websocket, stream, "hello")


@pytest.mark.parametrize(
    "origin",
    ["https://example.com", "null", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://x"],
)
def test_a_page_from_elsewhere_may_not(origin: str) -> None:
    with opened() as stream, pytest.raises(InvalidStatus) as caught:
        client(stream, origin=origin)
    assert caught.value.response.status_code == 403


def test_whoever_opens_it_to_the_network_opens_it_to_pages() -> None:
    with opened("ws://0.0.0.0:0") as stream, client(stream, origin="http://tablet.local") as websocket:
        hears(websocket, stream, "hello")


def test_garbage_neither_crashes_it_nor_stays_nor_is_told(caplog: pytest.LogCaptureFixture) -> None:
    frames = HANDSHAKE + b"\x81\xfe\xff\xff", HANDSHAKE + b"\x88\x80abcd", HANDSHAKE + b"\x8f\x00", HANDSHAKE + b"\x01"
    with nothing_left_behind(), caplog.at_level(logging.DEBUG), opened() as stream:
        send_garbage(
            stream.address.port, (b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"POST / HTTP/1.0\r\n\r\n", *frames)
        )
        with client(stream) as websocket:
            hears(websocket, stream, "still here")
    assert not [
        record for record in caplog.records if record.name.startswith("realtime") and record.levelno > logging.INFO
    ]


def test_a_client_that_never_reads_misses_messages_and_holds_nobody_up() -> None:
    message = b"pose " + b"x" * 20_000
    with opened() as stream, client(stream) as good, connection(stream.address.port) as dead:
        dead.sendall(HANDSHAKE)
        hears(good, stream, "hello")
        wait_until(lambda: len(stream._server.connections) == 2)
        for _ in range(500):  # 10 MB
            stream.send(message)
            assert rests(stream)
            assert good.recv(timeout=10) is not None  # the good one gets each of them
        waiting = [c.transport.get_write_buffer_size() for c in stream._server.connections]
        assert max(waiting) < websocket_stream._BEHIND_BYTES + 2 * len(message)


def test_a_client_that_never_answers_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_stream, "_PING_EVERY_S", 0.05)
    monkeypatch.setattr(websocket_stream, "_PING_TIMEOUT_S", 0.1)
    monkeypatch.setattr(websocket_stream, "_CLOSE_S", 0.1)
    with opened() as stream, connection(stream.address.port) as dead:
        dead.sendall(HANDSHAKE)
        wait_until(lambda: len(stream._server.connections) == 1)
        wait_until(lambda: len(stream._server.connections) == 0)


def test_a_client_that_says_too_much_is_not_listened_to() -> None:
    with opened() as stream, client(stream) as good, client(stream) as talker:
        hears(good, stream, "before")
        with pytest.raises(ConnectionClosed) as caught:
            talker.send("x" * 100_000)
            while True:
                talker.recv(timeout=5)
        assert caught.value.rcvd is None or caught.value.rcvd.code == 1009  # too big
        with client(stream, close_timeout=0.1) as flooding:
            flooding.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):  # it is not read: its own buffers fill up
                flooding.socket.sendall(b"\x81\x81\0\0\0\0x" * 5_000_000)
            hears(good, stream, "after")


def test_one_client_too_many_is_told_so() -> None:
    with opened() as stream, contextlib.ExitStack() as clients:
        for _ in range(MAX_CLIENTS):
            clients.enter_context(client(stream))
        wait_until(lambda: len(stream._server.connections) == MAX_CLIENTS)
        with pytest.raises(InvalidStatus) as caught:
            client(stream)
        assert caught.value.response.status_code == 503


def test_closing_with_a_dead_client_ends_the_thread() -> None:
    with nothing_left_behind(), opened() as stream, connection(stream.address.port) as dead:
        dead.sendall(HANDSHAKE)
        wait_until(lambda: len(stream._server.connections) == 1)
        stream.close()
        assert not stream._thread.is_alive()
