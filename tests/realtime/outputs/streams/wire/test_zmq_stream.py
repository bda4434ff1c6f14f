from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from realtime.keys import add_client
from realtime.outputs import parse_stream_url
from realtime.outputs.streams.url import StreamError
from realtime.outputs.streams.wire.curve import KeyFileError, load_client_keys, new_pair
from realtime.outputs.streams.wire.zmq_stream import ZmqStream
from tests.realtime.outputs.streams.sockets import can_listen, connection, nothing_left_behind, send_garbage, wait_until

GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00NULL" + bytes(48)  # how a ZMTP 3 connection begins
READY = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"


def opened(text: str = "zmq://127.0.0.1:0") -> contextlib.closing[ZmqStream]:
    return contextlib.closing(ZmqStream(parse_stream_url(text)))


@contextlib.contextmanager
def subscriber(stream: ZmqStream, **options: int | bytes) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        for name, value in options.items():
            setattr(socket, name, value)
        socket.subscribe(b"")
        socket.connect(f"tcp://127.0.0.1:{stream.address.port}")
        yield socket


def hears(socket: zmq.Socket[bytes], stream: ZmqStream, word: bytes) -> bytes:
    """Repeat `word` until it arrives (a subscription takes a moment); returns the message."""
    received: list[bytes] = []

    def arrived() -> bool:
        stream.send(word)
        while socket.poll(5):
            parts = socket.recv_multipart()
            assert len(parts) == 1  # CONFLATE forbids more
            received.append(parts[0])
        return word in received

    wait_until(arrived)
    return received[-1]


def test_a_message_arrives_whole_in_one_part() -> None:
    with opened() as stream, subscriber(stream) as first, subscriber(stream, conflate=1) as second:
        message = b"pose " + json.dumps({"v": 1, "name": "ü" * 3000}).encode()
        assert hears(first, stream, message) == message
        assert hears(second, stream, message) == message


def test_a_topic_can_be_picked() -> None:
    with opened() as stream, subscriber(stream) as socket:
        socket.unsubscribe(b"")
        socket.subscribe(b"status ")
        hears(socket, stream, b"status {}")
        stream.send(b"pose {}")
        stream.send(b"status last")
        received = []
        while b"status last" not in received:
            received.append(socket.recv())
        assert b"pose {}" not in received


def test_port_zero_takes_a_free_one_and_close_frees_it() -> None:
    with nothing_left_behind():
        with opened() as stream:
            port = stream.address.port
            assert port > 0
            assert not can_listen(port)
        stream.close()  # once more does no harm
        assert can_listen(port)
        with opened(f"zmq://127.0.0.1:{port}") as again:
            assert again.address.port == port


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zmq://192.0.2.7:5555", "no address of this machine"),
        ("zmq://no.such.host.invalid:5555", "there is no host"),
        ("zmq://127.0.0.1:0?curve=none.json", "there is no key file none.json"),
    ],
)
def test_what_cannot_be_opened_is_one_line(text: str, message: str) -> None:
    with nothing_left_behind(), pytest.raises((StreamError, KeyFileError)) as caught:
        ZmqStream(parse_stream_url(text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_publishers_on_one_port_are_one_line() -> None:
    with (
        opened() as stream,
        pytest.raises(StreamError, match=r"port \d+ is taken .*name another, or 0 for a free one"),
    ):
        ZmqStream(parse_stream_url(f"zmq://127.0.0.1:{stream.address.port}"))


def test_garbage_neither_crashes_it_nor_stays() -> None:
    with nothing_left_behind(), opened() as stream:
        send_garbage(
            stream.address.port, (b"", GREETING, GREETING + READY, GREETING + READY + b"\x02\xff" + b"\xff" * 8)
        )
        with subscriber(stream) as socket:
            assert hears(socket, stream, b"pose still here") == b"pose still here"


def test_subscribers_who_never_read_hold_nobody_up() -> None:
    message = b"pose " + b"x" * 5000
    with (
        opened() as stream,
        subscriber(stream, rcvhwm=1, rcvbuf=4096) as dead,
        subscriber(stream, conflate=1) as good,
        connection(stream.address.port),
        connection(stream.address.port) as half_open,
    ):
        half_open.sendall(GREETING[:20])
        hears(dead, stream, b"pose hello")
        for _ in range(5000):  # far more than all the buffers between them hold
            stream.send(message)
        assert hears(good, stream, b"pose the last") == b"pose the last"


def test_a_flood_of_subscriptions_does_not_silence_it() -> None:
    with opened() as stream, subscriber(stream) as flooding, subscriber(stream) as good:
        hears(good, stream, b"pose before")
        for k in range(20_000):
            flooding.subscribe(b"%d" % k)
        assert hears(good, stream, b"pose after") == b"pose after"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    add_client(tmp_path, "blender")
    add_client(tmp_path, "unity")
    return tmp_path


def curve_options(path: Path) -> dict[str, bytes]:
    client = load_client_keys(path)
    return {
        "curve_publickey": client.public_key.encode(),
        "curve_secretkey": client.secret_key.encode(),
        "curve_serverkey": client.server_key.encode(),
    }


def handshake_failed(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes]) -> bool:
    """Wait for the outcome of the connection's handshake."""
    failed = (
        zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    )
    while monitor.poll(10_000):
        event = recv_monitor_message(monitor)["event"]
        if event & zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return False
        if event & (failed | zmq.EVENT_DISCONNECTED):
            return True
    raise AssertionError("no handshake took place")


def test_curve_lets_in_those_with_a_key(keys: Path) -> None:
    with opened(f"zmq://127.0.0.1:0?curve={keys / 'server.json'}") as stream:
        for name in ("blender", "unity"):
            with subscriber(stream, **curve_options(keys / f"{name}.json")) as socket:
                assert hears(socket, stream, b"pose secret") == b"pose secret"


@pytest.mark.parametrize("who", ["plain", "stranger", "wrong server key"])
def test_curve_gives_nothing_to_anybody_else(keys: Path, who: str) -> None:
    options = curve_options(keys / "unity.json") if who != "plain" else {}
    if who == "stranger":
        public, secret = new_pair()
        options |= {"curve_publickey": public.encode(), "curve_secretkey": secret.encode()}
    elif who == "wrong server key":
        options |= {"curve_serverkey": new_pair()[0].encode()}
    with (
        nothing_left_behind(),
        opened(f"zmq://127.0.0.1:0?curve={keys / 'server.json'}") as stream,
        subscriber(stream, **curve_options(keys / "blender.json")) as friend,
        zmq.Context() as context,
        context.socket(zmq.SUB) as other,
    ):
        other.linger = 0
        for name, value in options.items():
            setattr(other, name, value)
        monitor = other.get_monitor_socket()
        other.subscribe(b"")
        other.connect(f"tcp://127.0.0.1:{stream.address.port}")
        assert handshake_failed(other, monitor)
        for k in range(20):
            hears(friend, stream, b"pose %d" % k)
        assert not other.poll(100)
        other.disable_monitor()


def test_garbage_at_an_encrypted_port_changes_nothing(keys: Path) -> None:
    curve = GREETING.replace(b"NULL\0", b"CURVE")
    with nothing_left_behind(), opened(f"zmq://127.0.0.1:0?curve={keys / 'server.json'}") as stream:
        send_garbage(stream.address.port, (curve, curve + b"\x04\xc8\x05HELLO\x01\0", GREETING + READY))
        with subscriber(stream, **curve_options(keys / "blender.json")) as socket:
            assert hears(socket, stream, b"pose fine") == b"pose fine"
