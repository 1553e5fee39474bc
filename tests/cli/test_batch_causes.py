"""The causes for which items of a batch have no video, in the words of the command line."""

from __future__ import annotations

import re

import pytest

from veo_async import (
    ConnectionFailedError,
    DownloadError,
    GenerationFailedError,
    Outcome,
    PollingError,
    SubmissionUncertainError,
    TaskNotFoundError,
    TextToVideo,
    VeoError,
    WaitTimeoutError,
)
from veo_async.cli._batch_causes import Causes
from veo_async.errors import NoAPIError

LIBRARY = re.compile(r"\bveo\.|base_url(?<!--base_url)|_to\b|Error|task_id|\bstage\b")
"""The words of the library that nobody at a command line knows."""


@pytest.mark.parametrize(
    "first, second, told",
    [
        (
            GenerationFailedError("It is refused.", task_id="t1", code="bad", trace_id="x1"),
            GenerationFailedError("It is refused.", task_id="t2", code="bad", trace_id="x2"),
            "2 failed: It is refused. (code bad)",
        ),
        (
            WaitTimeoutError("Task t1 was not finished within 5 s.", task_id="t1"),
            WaitTimeoutError("Task t2 was not finished within 5 s.", task_id="t2"),
            (
                "2 still running: Task was not finished within 5 s. Paid for, and goes on at the "
                "service. Run the same command again to wait for it."
            ),
        ),
        (
            PollingError("The service could not be asked (no answer).", task_id="t1"),
            PollingError("The service could not be asked (no answer).", task_id="t2"),
            "2 still running: The service could not be asked (no answer). Paid for, and goes",
        ),
        (
            SubmissionUncertainError(
                "An earlier run may have sent the item 'a' (stage generate), and the journal does "
                "not know its outcome."
            ),
            SubmissionUncertainError(
                "An earlier run may have sent the item 'b' (stage upscale), and the journal does "
                "not know its outcome."
            ),
            (
                "2 uncertain: An earlier run may have sent it, and the journal does not know its "
                "outcome. Maybe bought, so not sent again."
            ),
        ),
        (
            SubmissionUncertainError(
                "The submit was sent, but its answer proves nothing (no answer came within the "
                "time to wait; a later one appears in veo.unsettled)."
            ),
            SubmissionUncertainError(
                "The submit was sent, but its answer proves nothing (no answer came within the "
                "time to wait; a later one appears in veo.unsettled)."
            ),
            (
                "2 uncertain: The submit was sent, but its answer proves nothing (no answer came "
                "within the time to wait). Maybe"
            ),
        ),
        (
            TaskNotFoundError(
                "The service has not known task t1.", task_id="t1", may_have_cost=True
            ),
            TaskNotFoundError(
                "The service has not known task t2.", task_id="t2", may_have_cost=True
            ),
            "2 uncertain: The service has not known task. Paid for. Check that the token is",
        ),
        (
            DownloadError(
                "https://a/1 was not saved as out/1.mp4. The answer is 404. A fresh URL comes from "
                "veo.tasks.retrieve('t1').",
                path="out/1.mp4",
                task_id="t1",
            ),
            DownloadError(
                "https://a/2 was not saved as out/2.mp4. The answer is 404. A fresh URL comes from "
                "veo.tasks.retrieve('t2').",
                path="out/2.mp4",
                task_id="t2",
            ),
            (
                "2 failed: The answer is 404. Paid for, and not lost. Run the same command again "
                "to save it."
            ),
        ),
        (
            DownloadError("Nothing can be saved in the folder.", path="out"),
            DownloadError("Nothing can be saved in the folder.", path="out"),
            "2 failed: Nothing can be saved in the folder. Paid for, and not lost.",
        ),
        (
            ConnectionFailedError("The service could not be reached: no."),
            ConnectionFailedError("The service could not be reached: no."),
            "2 failed: The service could not be reached: no. Nothing was bought. Run the same",
        ),
        (
            NoAPIError("A page answered: is base_url right?"),
            NoAPIError("A page answered: is base_url right?"),
            "2 failed: A page answered: is --base-url right? Nothing was bought.",
        ),
        (VeoError("Something else."), VeoError("Something else."), "2 failed: Something else."),
    ],
)
def test_a_cause(first: VeoError, second: VeoError, told: str) -> None:
    """Two items with one cause share a line, which says whether money was spent and what to do
    next, and names neither the items' ids nor anything of the library."""
    causes = Causes()
    for key, error, line in (("a", first, 7), ("b", second, None)):
        causes.add(Outcome(key, TextToVideo(prompt=f"a {key}"), None, error), error, line)

    cause, items = causes.lines()

    assert cause.startswith(f"veo-async: {told}")
    assert not LIBRARY.search(cause)
    assert items == "  line 7 (a a), b (a b)"
