"""A tree of files for people, made from a bag and outside of it."""
