"""Licences bought, assigned, used and really used, from the archive alone."""
