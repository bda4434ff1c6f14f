from __future__ import annotations

import pytest

from realtime.outputs import open_stream, parse_stream_url
from realtime.outputs.output import Run
from realtime.outputs.streams.url import StreamError, StreamUrl
from tests.realtime.outputs.streams.synthetic_stream import BODY

ALL = {"bones": "all", "expressions": "all"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("zmq://127.0.0.1:5555", StreamUrl("zmq", "127.0.0.1", 5555, {"tokens": "0"})),
        ("zmq://", StreamUrl("zmq", "127.0.0.1", 5555, {"tokens": "0"})),
        ("zmq://:0", StreamUrl("zmq", "127.0.0.1", 0, {"tokens": "0"})),
        ("ZMQ://*:7", StreamUrl("zmq", "0.0.0.0", 7, {"tokens": "0"})),
        ("zmq://[::1]:7", StreamUrl("zmq", "::1", 7, {"tokens": "0"})),
        ("zmq://0.0.0.0:7?curve=a/b.json", StreamUrl("zmq", "0.0.0.0", 7, {"tokens": "0", "curve": "a/b.json"})),
        ("zmq://?curve=C%3A%5Ca.json", StreamUrl("zmq", "127.0.0.1", 5555, {"tokens": "0", "curve": "C:\\a.json"})),
        ("zmq://:7?tokens=1", StreamUrl("zmq", "127.0.0.1", 7, {"tokens": "1"})),
        ("ws://localhost", StreamUrl("ws", "localhost", 5556, {"tokens": "0"})),
        ("ws://127.0.0.1:5556/", StreamUrl("ws", "127.0.0.1", 5556, {"tokens": "0"})),
        ("vmc://", StreamUrl("vmc", "127.0.0.1", 39539, ALL)),
        ("vmc://192.168.0.7:39540", StreamUrl("vmc", "192.168.0.7", 39540, ALL)),
        ("vmc://?bones=required", StreamUrl("vmc", "127.0.0.1", 39539, {**ALL, "bones": "required"})),
        ("vmc://:1?parts=face,body", StreamUrl("vmc", "127.0.0.1", 1, {**ALL, "parts": "face,body"})),
        ("vmc://127.0.0.1:39540?bones=all", StreamUrl("vmc", "127.0.0.1", 39540, ALL)),
    ],
)  # fmt: skip
def test_an_address_is_read(text: str, url: StreamUrl) -> None:
    assert parse_stream_url(text) == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begin with zmq://"),
        ("127.0.0.1:5555", "begin with zmq://"),
        ("zmq:127.0.0.1:5555", "begin with zmq://"),
        ("tcp://127.0.0.1:5555", "a ZeroMQ stream is zmq:// here; write zmq://127.0.0.1:5555"),
        ("TCP://*:7?tokens=1", "write zmq://*:7?tokens=1"),
        ("http://127.0.0.1:80", "write ws://127.0.0.1:80"),
        ("udp://127.0.0.1:39539", "write vmc://127.0.0.1:39539"),
        ("zqm://127.0.0.1:5555", "nearest known one is zmq"),
        ("://x", "unknown stream ''"),
        ("zmq://127.0.0.1:port", "no address"),
        ("zmq://127.0.0.1:99999", "no address"),
        ("zmq://127.0.0.1:-1", "no address"),
        ("zmq://[::1", "no address"),
        ("zmq://127.0.0.1:1/path", "nothing but ?options"),
        ("zmq://me:secret@127.0.0.1:1", "nothing but ?options"),
        ("zmq://127.0.0.1:1#top", "nothing but ?options"),
        ("zmq://127.0.0.1:1?curve", "no address"),
        ("zmq://127.0.0.1:1?curve=", "curve needs a key file"),
        ("zmq://127.0.0.1:1?kurve=x", "it knows curve and tokens"),
        ("zmq://127.0.0.1:1?tokens=yes", "tokens is 0 or 1"),
        ("ws://127.0.0.1:1?curve=x", "ws has no option 'curve'; it knows tokens"),
        ("vmc://127.0.0.1:1?tokens=1", "it knows bones"),
        ("vmc://127.0.0.1:1?bones=some", "bones is all or required, not 'some'"),
        ("vmc://127.0.0.1:1?parts=body,feet", "parts are body, hands, face, joined by commas, not 'feet'"),
        ("vmc://127.0.0.1:1?expressions=vrm1", "expressions is all or arkit or vrm, not 'vrm1'"),
        ("vmc://127.0.0.1:1?person=second", "person is performer, nearest, an id such as 0, or a place such as 1st"),
        ("zmq://127.0.0.1:1?bones=all", "zmq has no option 'bones'"),
        ("vmc://127.0.0.1:0", "name its host and port"),
        ("vmc://*:39539", "name its host and port"),
    ],
)
def test_anything_else_is_one_line_that_names_the_mend(text: str, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        open_stream(text, Run(BODY))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_is_written_as_it_is_read() -> None:
    for text in ("zmq://127.0.0.1:5555", "ws://[::1]:9", "vmc://localhost:39539"):
        assert str(parse_stream_url(text)) == text


def test_only_loopback_is_called_so() -> None:
    assert all(parse_stream_url(f"zmq://{host}:1").is_loopback for host in ("localhost", "127.0.0.9", "[::1]", ""))
    assert not any(parse_stream_url(f"zmq://{host}:1").is_loopback for host in ("0.0.0.0", "*", "[::]", "192.168.0.2"))
