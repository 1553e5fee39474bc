"""What a video costs the client: ``python -m benchmarks``, or ``make bench``.

Its main part, `speed`, is one run on one service process and the same seeded durations, in real
time: this library with its default transport and with ``AiohttpTransport``, the vendor's SDK, a
careful author's batch poller written by hand with aiohttp (the floor: no types, errors or retries),
and bare POST loops of httpx and of aiohttp, which wait for no video.

How the parts go together::

    __main__        the command: all parts, one after the other
    speed           what a video costs, beside the alternatives
      backend, http   the service: its state and answers, and HTTP/1.1 for them
      service         the same in a process of its own: resets, and says what it saw and cost
      contenders      what is measured
      perform         one contender at work, in a fresh process
      figures         what a run shows, as pure functions
      running         one run: every contender for every number of videos
      report, chart   the machine, the table, the JSON file; the picture
    journal         what a journal adds to a batch, and how soon a finished run is had again
    memory          whether a long batch needs more memory than a short one
    schedule        when to look, simulated: polls against delay
    throttled       a service that does not tell its limits, simulated
    readme          the README's figures, from the results

CPU is the client process's own, from the first call to the last answer: imports and the making of
the client are left out, the first connections are not. Peak memory is the whole process's. A bare
loop runs three times, and its median counts. Where the service process used most of a core, the
row says so, and where it answers slowly even when idle, the run does: such times are the service's.
"""
