"""Batches: many requests at once, each with an outcome."""
