"""Tells why a video could not be solved."""

from __future__ import annotations

from engine.errors import UserError, one_line
from realtime.kernel.pipeline import StageFailed

_CV2_NO_MEMORY = -4  # cv2.Error.StsNoMem


def in_one_line(error: Exception) -> str:
    """Tell a failure in one line, with the mend where it is known."""
    if is_out_of_memory(error):
        return "out of memory: give fewer --workers, or a machine with more"
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"cannot use {error.filename}: {error.strerror}")
    return one_line(str(error) if isinstance(error, StageFailed) else f"{type(error).__name__}: {error}")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether it was caused by a lack of memory, in NumPy, OpenCV or Python."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or getattr(cause, "code", None) == _CV2_NO_MEMORY:
            return True
        cause = cause.__cause__
    return False
