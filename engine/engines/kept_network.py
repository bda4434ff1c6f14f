"""Keeps compiled networks in the cache folder, because reading one takes a fifth of the time of compiling it.

A file is named after everything that it depends on: the network's file, the code that changes it, OpenVINO, the
settings and the processor. Its last bytes are its SHA-256, so a damaged one is never used. Any file may be removed.
One that no start has read for 90 days is removed: it is of an earlier OpenVINO or an earlier version of this program.
"""

from __future__ import annotations

import hashlib
import io
import logging
import mmap
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  before openvino
from engine.cache import cache_folder
from engine.files.whole_file import whole_file

if TYPE_CHECKING:
    import openvino as ov

logger = logging.getLogger(__name__)

_in_memory: dict[str, CompiledNetwork] | None = None  # None: a network ends with the run that uses it
_SUM_BYTES = hashlib.sha256().digest_size
_UNUSED_S = 90 * 86400.0


@dataclass(frozen=True)
class NetworkRecipe:
    """Everything that determines a network, and the function that makes it."""

    files: tuple[Path, ...]  # the network's, then those of code that changes it
    said: str  # parameters of that code
    make: Callable[[], ov.Model]


@dataclass(frozen=True)
class CompiledNetwork:
    """Compiled model, and the memory that it may refer to, which must live as long."""

    model: ov.CompiledModel
    memory: NDArray[np.uint8] | None = None


def compiled(network: ov.Model | NetworkRecipe, settings: Mapping[str, Any]) -> CompiledNetwork:
    """Compile a network for the processor; one of a recipe is kept, or read where it was kept before.

    Raises RuntimeError where OpenVINO refuses it.
    """
    import openvino as ov

    if not isinstance(network, NetworkRecipe):
        return CompiledNetwork(ov.Core().compile_model(network, "CPU", settings))
    if _in_memory is None:
        return _kept(network, settings)
    changed_ns = [(file, file.stat().st_mtime_ns) for file in network.files]
    name = repr((changed_ns, network.said, sorted(settings.items())))
    if name not in _in_memory:
        _in_memory[name] = _kept(network, settings)
    return _in_memory[name]


def keep_in_memory() -> None:
    """Let all later networks of recipes live as long as the process, for one that makes many runs in turn."""
    global _in_memory
    _in_memory = _in_memory or {}


def _kept(network: NetworkRecipe, settings: Mapping[str, Any]) -> CompiledNetwork:
    """Read the network from its file, or compile it and write the file."""
    import openvino as ov

    core = ov.Core()
    path = _path(network, settings, core, ov.__version__)
    if (kept := _read(path)) is not None:
        blob, mapping = kept
        try:
            found = core.import_model(ov.Tensor(blob, shared_memory=True), "CPU", settings)
        except RuntimeError as error:
            logger.warning("%s cannot be used (%s): compiling again", path, str(error).strip().splitlines()[-1])
        else:
            _let_go(mapping)
            return CompiledNetwork(found, blob)
    logger.info("%s is compiled for this machine, once", network.files[0].name)
    made = core.compile_model(network.make(), "CPU", settings)
    exported = io.BytesIO()
    made.export_model(exported)
    try:
        _write(path, exported.getvalue())
    except OSError as error:
        logger.warning("the next start takes longer: cannot keep %s (%s)", path, error.strerror or error)
    return CompiledNetwork(made)


def _path(recipe: NetworkRecipe, settings: Mapping[str, Any], core: ov.Core, version: str) -> Path:
    """Return the file's name."""
    machine = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    digest = hashlib.sha256(repr((recipe.said, sorted(settings.items()), version, machine)).encode())
    for file in recipe.files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return (
        cache_folder()
        / f"openvino-{version.partition('-')[0]}"
        / f"{recipe.files[0].stem}-{digest.hexdigest()[:16]}.blob"
    )


def _read(path: Path) -> tuple[NDArray[np.uint8], mmap.mmap] | None:
    """Map the file into memory; return its network, and the mapping. None if there is none, or only a damaged one."""
    try:
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError):  # ValueError: an empty file
        return None
    content = np.frombuffer(mapping, np.uint8)
    blob, checksum = content[:-_SUM_BYTES], content[-_SUM_BYTES:]
    if hashlib.sha256(blob.data).digest() != checksum.tobytes():
        logger.warning("%s is damaged: compiling again", path)
        return None
    with suppress(OSError):  # a cache that others filled may be read only
        path.touch()  # it was used today
    return blob, mapping


def _let_go(mapping: mmap.mmap) -> None:
    """Free the pages: OpenVINO has its own copy of the weights, and what it still needs is read again."""
    if hasattr(mmap, "MADV_DONTNEED"):  # Windows has none
        mapping.madvise(mmap.MADV_DONTNEED)


def _write(path: Path, blob: bytes) -> None:
    """Write the file in one step, so that no other process sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(blob)
        file.write(hashlib.sha256(blob).digest())
    _remove_unused()


def _remove_unused() -> None:
    """Remove networks that no start has used for long, and folders of an OpenVINO that has none left."""
    last_s = time.time() - _UNUSED_S
    for file in cache_folder().glob("openvino-*/*.blob"):
        with suppress(OSError):  # in use on Windows, removed by another start, or not empty
            if file.stat().st_mtime < last_s:
                file.unlink()
                file.parent.rmdir()
