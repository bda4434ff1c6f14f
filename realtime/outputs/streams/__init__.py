"""The transports of `--stream`, and the one place that opens them."""

from __future__ import annotations

from engine.body.model import BodyModel
from realtime.outputs.streams.url import FrameStream, MessageStream, StreamUrl


def open_message_stream(url: StreamUrl) -> MessageStream:
    """A `zmq` or `ws` stream. Raises StreamError where it cannot be opened."""
    if url.scheme == "zmq":
        from realtime.outputs.streams.zmq_stream import ZmqStream

        return ZmqStream(url)
    from realtime.outputs.streams.websocket_stream import WebSocketStream

    return WebSocketStream(url)


def open_frame_stream(url: StreamUrl, body: BodyModel) -> FrameStream:
    """A `vmc` stream. Raises StreamError where it cannot be opened."""
    from realtime.outputs.streams.vmc_stream import VmcStream

    return VmcStream(url, body)
