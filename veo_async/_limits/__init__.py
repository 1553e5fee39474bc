"""Limits: open calls, generations in flight, the rate, and the pause after a 429."""
