"""sfexit: take a company out of Salesforce, completely and provably."""

__version__ = "0.1.0"
