"""Is the archive what was sealed, and does it hold what the org holds?

Trusts no code that made the archive: own readers, own counting, own questions to the org.
`codes` and `finding` say what can be found, `verdict` what follows from it. No bag is ever
written to.
"""
