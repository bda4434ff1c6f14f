"""Streams the wire format of this project (docs/wire-format.md) over ZeroMQ and WebSocket."""
