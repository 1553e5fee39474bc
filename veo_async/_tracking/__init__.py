"""Waiting for tasks: shared polls, and when they are due."""
