"""Reads the dictionary in a file of torch.save, with memory-mapped tensors.

torch.load trusts the sizes in a file, so a damaged file makes it allocate gigabytes. A file is a zip archive of one
pickle and the raw bytes of each storage. The old format is pickles and storages one after another. Every tensor must
lie within its storage, every storage within the file.
"""

from __future__ import annotations

import io
import math
import mmap
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.files.unpickle import ARRAYS_AND_CONTAINERS, AllowListUnpickler, Holder, UnpickleError, read

DOWNLOAD_AGAIN = "download it again, logged in, from tokenhmr.is.tue.mpg.de"

_OLD_MAGIC, _OLD_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a member of a zip: signature, lengths of name and extra field
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Storage(NamedTuple):
    key: str
    numbers: Tensor  # (K,)


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Replace torch's `_rebuild_tensor_v2`: return a view that lies within its storage."""
    if not isinstance(storage, _Storage) or not all(
        isinstance(numbers, tuple) and all(type(n) is int and 0 <= n < 2**31 for n in numbers)
        for numbers in (size, stride, (offset,))
    ):
        raise UnpickleError("a tensor's description is damaged")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count, there = math.prod(size), len(storage.numbers)
    if count > there or (count and last >= there):
        raise UnpickleError("a tensor is larger than what is stored of it")
    return torch.as_strided(storage.numbers, size, stride, offset) if count else storage.numbers.new_empty(size)


def _rebuild_parameter(data: Any, *_: Any) -> Tensor:
    if not torch.is_tensor(data):
        raise UnpickleError("a parameter is no tensor")
    return data


class _TorchUnpickler(AllowListUnpickler):
    """Unpickler for torch.save and Lightning. Configurations and trainer state are skipped."""

    purpose = "a checkpoint"
    allowed = ARRAYS_AND_CONTAINERS | {
        ("collections", "defaultdict"): Holder,
        ("torch", "Size"): tuple,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    }
    _read_over = (
        "yacs",
        "omegaconf",
        "pytorch_lightning",
        "lightning",
        "lightning_fabric",
        "argparse",
        "pathlib",
        "typing",
    )

    def __init__(self, file: Any, storage: Callable[[str, torch.dtype, int], Tensor] | None = None) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def stand_in(self, module: str, name: str) -> Any:
        if module == "torch":
            dtype = getattr(torch, name, None)
            return _DTYPES.get(name, dtype if isinstance(dtype, torch.dtype) else None)
        return Holder if module.split(".")[0] in self._read_over else None

    def persistent_load(self, pid: Any) -> _Storage:
        """Return a storage from its description: ('storage', its type, key, device, count, ...)."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(count), *_) if self._storage is not None:
                return _Storage(key, self._storage(key, dtype, count))
        raise UnpickleError("a tensor's storage is described in an unknown way")


def read_torch_file(path: Path, wanted: str) -> dict[Any, Any]:
    """Read the dictionary in the file at `path`. Raises EngineError, which asks for `wanted`."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if head else None
    except FileNotFoundError as error:
        raise EngineError(f"there is no file {path}; {wanted}") from error
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if data is None:
        raise EngineError(f"{path} is empty; {DOWNLOAD_AGAIN}")
    if head.lstrip()[:1] == b"<":
        raise EngineError(f"{path} is a web page, not a checkpoint; {DOWNLOAD_AGAIN}")
    try:
        content = _read_zip(path, data) if head.startswith(b"PK") else _read_old(data)
    except UnpickleError as error:
        raise EngineError(f"{path} is no checkpoint that can be read: {error}; {wanted}") from error
    if not isinstance(content, dict):
        raise EngineError(f"{path} holds a {type(content).__name__}, not a checkpoint; {wanted}")
    return content


def _read_zip(path: Path, data: mmap.mmap) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, LookupError, struct.error) as error:
        raise UnpickleError(f"it is cut short, or no archive ({error})") from error

    def place(name: str) -> tuple[int, int]:
        """Return the offset and length of a member's bytes."""
        info = members.get(name)
        if info is None:
            raise UnpickleError(f"it lacks {name}")
        start, length = info.header_offset, info.file_size
        if info.compress_type != zipfile.ZIP_STORED or length != info.compress_size:
            raise UnpickleError(f"{name} is compressed, which torch never does")
        if start < 0 or start + _LOCAL_HEADER.size > len(data):
            raise UnpickleError(f"{name} lies outside of the file")
        signature, of_name, of_extra = _LOCAL_HEADER.unpack_from(data, start)
        start += _LOCAL_HEADER.size + of_name + of_extra
        if signature != b"PK\x03\x04" or start + length > len(data):
            raise UnpickleError(f"{name} lies outside of the file")
        return start, length

    storages: dict[str, Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        start, length = place(f"data/{key}")
        if key not in storages:
            storages[key] = _numbers(data, start, length, dtype, count)
        return storages[key]

    start, length = place("data.pkl")
    if "byteorder" in members:
        at, size = place("byteorder")
        if data[at : at + size] != b"little":
            raise UnpickleError("its numbers are in another byte order than this machine's")
    return read(_TorchUnpickler, io.BytesIO(data[start : start + length]), storage=storage)


def _read_old(data: mmap.mmap) -> Any:
    """Read the old format: magic number, version, system info; the object; storage keys; their bytes in that order."""
    if read(_TorchUnpickler, data) != _OLD_MAGIC or read(_TorchUnpickler, data) != _OLD_PROTOCOL:
        raise UnpickleError("it is no file of torch.save")
    read(_TorchUnpickler, data)
    start = data.tell()
    described: dict[str, tuple[torch.dtype, int]] = {}

    def describe(key: str, dtype: torch.dtype, count: int) -> Tensor:
        described[key] = (dtype, count)
        if not 0 <= count <= len(data):
            raise UnpickleError("a storage is larger than the file")
        return torch.empty(count, dtype=dtype, device="meta")

    read(_TorchUnpickler, data, storage=describe)  # collect the descriptions of the storages, which come last
    keys = read(_TorchUnpickler, data)
    storages: dict[str, Tensor] = {}
    for key in keys if isinstance(keys, list) else ():
        count_bytes = data.read(8)
        if not isinstance(key, str) or key not in described or len(count_bytes) < 8:
            raise UnpickleError("it ends too early")
        dtype, count = described[key]
        (length,) = struct.unpack("<q", count_bytes)
        at = data.tell()
        if length != count or at + count * dtype.itemsize > len(data):
            raise UnpickleError("it ends too early")
        storages[key] = _numbers(data, at, count * dtype.itemsize, dtype, count)
        data.seek(at + count * dtype.itemsize)
    data.seek(start)

    def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if key not in storages:
            raise UnpickleError("it ends too early")
        return storages[key]

    return read(_TorchUnpickler, data, storage=storage)


def _numbers(data: mmap.mmap, start: int, length: int, dtype: torch.dtype, count: int) -> Tensor:
    """Return `count` numbers (K,) from `length` bytes of the file: mapped if aligned, otherwise copied."""
    if count < 0 or count * dtype.itemsize > length:
        raise UnpickleError("a storage is larger than what the file holds of it")
    if count == 0:
        return torch.empty(0, dtype=dtype)
    if start % dtype.itemsize:
        return torch.frombuffer(bytearray(data[start : start + count * dtype.itemsize]), dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=count, offset=start)
