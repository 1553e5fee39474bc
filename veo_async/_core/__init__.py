"""The decisions, as synchronous functions of values: no I/O, no clock, no luck, no await."""
