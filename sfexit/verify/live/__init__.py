"""The archive against the org: other queries, other routes and other code than the export's.

`run.live` does it all. Nothing here writes to the org or to a bag.
"""
