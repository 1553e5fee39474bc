"""The whole client against the emulator, under seeded schedules of faults and crashes.

::

    scenario    what happens under a seed: a pure function of it, readable when printed
    deployment  what the service does where the documents leave it open; what becomes of marks
    faults      the names of all that can go wrong with a POST or a question
    world       the service, and a record of every POST: what struck it, what was billed
    probe       what a client concludes about each POST
    processes   the programs that use the service: run, kill, cancel, resume
    laws        what must hold after every run
    tally       how often what happened, which cells must not be empty, and which must
    runner      one seed, or many on all cores
    mutants     mistakes in the source that the simulation must catch

``python -m tests.simulation --seed 123`` replays one seed and tells what happens;
``python -m tests.simulation --seeds 10000`` is the long run.
"""
