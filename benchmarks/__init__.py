"""What a video costs the client: ``python -m benchmarks``, or ``make bench``.

One run, on one service process (the emulator on a port) and the same seeded durations, in real
time: this library with its default transport and with ``AiohttpTransport``, beside bare POST loops
of httpx and of aiohttp, which send the same bodies over eight connections and wait for no video.

How the parts go together::

    service       the emulator in a process of its own: resets, and says what it saw and cost
    contenders    what is measured, each in a fresh process
    figures       what a run shows, as pure functions
    running       one run: every contender for every number of videos
    report        the machine, the table, the JSON file

CPU is the client process's own, from the first call to the last answer: imports and the making of
the client are left out, the first connections are not. A bare loop runs three times, and its median
counts. Where the service process used most of a core, the row says so, and where it answers slowly
even when idle, the run does: such times are the service's.

It does not measure the vendor's SDK, a hand-written batch poller, peak memory or lost answers,
simulates no schedules, draws no charts, and makes 10,000 videos only when asked to.

``benchmarks/results/`` is ignored by git for now: a figure is worth keeping only from an idle
machine, and no run on one has been recorded yet.
"""
