"""What the tables of an archive mean, for people: written out of the archive itself."""
