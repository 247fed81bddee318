"""Telling the C library that freed memory will be wanted again."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_TRIM_BYTES, _MMAP_BYTES = 64 << 20, 32 << 20


def keep_freed_memory() -> None:
    """For work in pieces of a megabyte: by default glibc gives each back to the system when it is
    freed, and the system has to clear it for the next one, while all other threads wait
    (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD). That doubles the time of an export.
    What is kept so is kept in one heap: by default each thread keeps one of its own, and what one
    has freed no other can use (M_ARENA_MAX), which took 90 MB more of the same work. Elsewhere
    nothing is done.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # musl has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_ARENA_MAX, 1)
