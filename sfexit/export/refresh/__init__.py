"""Bringing an archive up to date: what differs from the bag before, and the next bag of it."""
