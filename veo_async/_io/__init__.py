"""The shells: the only awaits. Each owns one outside thing and asks the core what it means."""
