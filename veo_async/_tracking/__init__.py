"""Waiting for tasks: the registry of tasks, the schedule of polls, and shared polls."""
