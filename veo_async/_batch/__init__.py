"""Many requests at once, where every end is a value."""
