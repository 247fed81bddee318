"""What an org really uses, as requirements, and how other systems could take it in."""
