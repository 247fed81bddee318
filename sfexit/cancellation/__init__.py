"""Giving notice, keeping the record of it, and closing the exit. Nothing here writes to an org."""
