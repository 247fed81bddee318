"""Statements of account after an exit: read, laid out alike, and checked against the contract."""
