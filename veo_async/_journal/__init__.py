"""The journal of a batch: what was bought, durable."""
