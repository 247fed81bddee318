"""The contract: its terms, its days, what staying and leaving cost. Pure; reads one file."""
