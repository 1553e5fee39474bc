"""How much is asked of the service at once."""
