"""The journal of a batch: a durable record of all that was bought."""
