"""The bytes of all files of an org: which there are, fetching them, telling of them."""
