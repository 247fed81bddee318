"""Bytes and moments as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes for people."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count:,} bytes"


def moment_of(moment: str) -> str:
    """A moment of a document as people read it: `2026-11-22 01:02 UTC`."""
    return f"{moment[:10]} {moment[11:16]} UTC" if len(moment) >= 16 else moment or "then"
