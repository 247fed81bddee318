"""The org's configuration by the Metadata API: what there is, its files, and what is missing."""
