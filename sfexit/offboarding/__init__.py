"""Ending people's access without orphaning what they own: planned, reviewed, journalled, undoable.

`planning` reads and makes a plan; `plan` is that document; `applying` carries it out and keeps
the `journal`; `undoing` makes the plan that takes it back.
"""
