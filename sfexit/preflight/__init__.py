"""What the signed-in user cannot see, and which permission lifts it."""
