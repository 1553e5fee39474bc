"""Real processes that are really killed: a service on a port, and a batch that buys from it."""
