"""Registry of the outputs of a run. An output's module is imported on request only.

A module has `open_output(where, run) -> Output`, which raises UserError, one line, if it cannot open. A stream's module
also declares its address: PORT (the default) and OPTIONS (allowed after `?`). docs/recipes.md shows how to add one.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from realtime.outputs.output import Output, Run
    from realtime.outputs.streams.url import StreamUrl

STREAMS = {  # --stream SCHEME://HOST:PORT
    "zmq": "realtime.outputs.streams.wire.zmq_stream",
    "ws": "realtime.outputs.streams.wire.websocket_stream",
    "vmc": "realtime.outputs.streams.vmc.vmc_stream",
    "vrchat": "realtime.outputs.streams.vrchat.vrchat_stream",
    "sonic": "realtime.outputs.streams.sonic.sonic_stream",
    "rerun": "realtime.outputs.rerun.rerun_stream",
}
RECORDINGS = {  # --record FILE.SUFFIX
    ".npz": "realtime.outputs.recording.recorder",
    ".rrd": "realtime.outputs.rerun.rrd_recording",
}
FILMS = {  # --record-video FILE.SUFFIX
    ".mp4": "realtime.outputs.film.overlay_video",
}


def open_stream(url: str, run: Run) -> Output:
    """Open the stream of a URL. Raises UserError."""
    address = parse_stream_url(url)
    stream: Output = import_module(STREAMS[address.scheme]).open_output(address, run)
    return stream


def parse_stream_url(text: str) -> StreamUrl:
    """Parse `SCHEME://HOST:PORT?OPTION=VALUE` with the port and the options that the stream's module declares.

    Raises StreamError.
    """
    from realtime.outputs.streams.url import parse, scheme_of

    module = import_module(STREAMS[scheme_of(text, STREAMS)])
    return parse(text, module.PORT, module.OPTIONS)


def open_recording(path: Path, run: Run) -> Output:
    """Begin a recording to `path`. Raises UserError."""
    return _open_file(path, run, RECORDINGS, "record")


def open_film(path: Path, run: Run) -> Output:
    """Begin a film to `path`. Raises UserError."""
    return _open_file(path, run, FILMS, "film")


def _open_file(path: Path, run: Run, modules: dict[str, str], doing: str) -> Output:
    if path.suffix not in modules:
        raise UserError(f"cannot {doing} to {path}: name a file that ends in {' or '.join(modules)}")
    opened: Output = import_module(modules[path.suffix]).open_output(path, run)
    return opened
