"""The suite's own fuzzer: every decoder of what others have written.

``inputs.py`` makes the inputs, ``targets.py`` lists the decoders, ``test_fuzz.py`` tries a fixed
set of inputs on each, and ``make fuzz`` (``python -m tests.fuzz``) tries new ones for as long as it
is let. Its findings are files that it can replay.
"""
