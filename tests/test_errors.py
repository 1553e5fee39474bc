from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.wire import TASK, TRACE, URL
from veo_async import errors
from veo_async._wire.replies import BY_CODE
from veo_async.errors import (
    AccountError,
    APIError,
    APINotImplementedError,
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    ContentRefusedError,
    DisabledError,
    DownloadError,
    GenerationFailedError,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidTokenError,
    JournalError,
    MissingExtraError,
    NoAPIError,
    NoTokenError,
    PollingError,
    RateLimitError,
    ServerError,
    SubmissionLimitError,
    SubmissionUncertainError,
    TaskNotFoundError,
    TokenExpiredError,
    TokenMismatchedError,
    UndecodableReplyError,
    VeoError,
    WaitTimeoutError,
)
from veo_async.models import TextToVideo, Video

API_FACTS: dict[str, Any] = {
    "status_code": 418,
    "code": "teapot",
    "trace_id": TRACE,
    "body": {"error": {"code": "teapot"}},
}
WAIT_ON = f"resume with veo.wait('{TASK}')"
NOT_BOUGHT = "Nothing was bought"
# What happened, whether money may have been spent, what to do next.
CASES: list[tuple[VeoError, bool, str, str]] = [
    (InvalidRequestError("x.", field="prompt"), False, "Nothing was sent.", "x"),
    (InvalidRequestError("x.", field="key", advice="It was not sent."), False, "It was not", "x"),
    (MissingExtraError(feature="The demo", extra="cli"), False, "The demo", "pip install"),
    (ClientClosedError("Closed.", task_id=TASK, may_have_cost=True), True, "Closed.", "veo.wait("),
    (ClientClosedError("Closed; nothing was sent."), False, "nothing was sent", "Closed"),
    (JournalError("Full.", path="run.db", key="k", task_id=TASK), True, "was paid for", WAIT_ON),
    (JournalError("Locked; nothing was sent."), False, "nothing was sent", "Locked"),
    (APIError("No.", **API_FACTS), False, NOT_BOUGHT, "support"),
    (BadRequestError("No.", **API_FACTS), False, NOT_BOUGHT, "change the request"),
    (APINotImplementedError("No.", **API_FACTS), False, NOT_BOUGHT, "does not offer"),
    (NoAPIError("No.", **API_FACTS), False, NOT_BOUGHT, "base_url"),
    (ContentRefusedError("No.", **API_FACTS), False, NOT_BOUGHT, "refuses this content"),
    (AccountError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (NoTokenError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (InvalidTokenError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (TokenExpiredError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (TokenMismatchedError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (DisabledError("No.", **API_FACTS), False, NOT_BOUGHT, "the token or the account"),
    (InsufficientBalanceError("No.", **API_FACTS), False, NOT_BOUGHT, "top up"),
    (RateLimitError("No.", retry_after=3.0, **API_FACTS), False, NOT_BOUGHT, "wait, and lower"),
    (ServerError("No.", **API_FACTS), False, NOT_BOUGHT, "try again later"),
    (UndecodableReplyError("No.", **API_FACTS), False, NOT_BOUGHT, "report it"),
    (BadRequestError("No.", task_id=TASK, may_have_cost=True), True, "was paid for", WAIT_ON),
    (InvalidTokenError("No.", may_have_cost=True), True, "may have been paid", "veo.tasks.list()"),
    (ConnectionFailedError("No way."), False, NOT_BOUGHT, "try again later"),
    (
        GenerationFailedError(
            "It broke.", task_id=TASK, code="api_error", trace_id=TRACE, videos=(Video(id="v"),)
        ),
        True,
        "bill says whether it was charged",
        "ask the service once more: veo.wait(",
    ),
    (SubmissionLimitError("2 reached, nothing sent."), False, "nothing sent", "run the same batch"),
    (
        SubmissionUncertainError(
            "It was cut.", request=TextToVideo(prompt="a"), sent_at=1753435158.0, trace_id=TRACE
        ),
        True,
        "may have been accepted and billed",
        "veo.tasks.list(created_at_min=error.sent_at - 60)",
    ),
    (WaitTimeoutError("Too late.", task_id=TASK), True, "was paid for", WAIT_ON),
    (WaitTimeoutError("Too late.", task_id=None), False, "nothing was bought", "Too late"),
    (PollingError("No word.", task_id=TASK), True, "was paid for", WAIT_ON),
    (
        TaskNotFoundError("Unknown.", task_id=TASK, may_have_cost=True),
        True,
        "it was paid for",
        "veo.wait(",
    ),
    (TaskNotFoundError("Unknown.", task_id=TASK), False, "may have been paid", "Check the id"),
    (DownloadError("Cut.", url=URL, path="v.mp4", task_id=TASK), True, "stays paid for", "Cut."),
    (VeoError("Something else.", task_id=TASK, may_have_cost=True), True, "Something", "else"),
]
IDS = [f"{type(error).__name__}-{index}" for index, (error, *_) in enumerate(CASES)]
every_error = pytest.mark.parametrize("error", [case[0] for case in CASES], ids=IDS)


def public_classes() -> dict[str, type[VeoError]]:
    """Every class of the module that users can name."""
    return {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, VeoError) and not name.startswith("_")
    }


def public_parent(cls: type[VeoError]) -> str | None:
    """The nearest class of ours above that users can name."""
    above = [base.__name__ for base in cls.__mro__[1:] if issubclass(base, VeoError)]
    return next((name for name in above if not name.startswith("_")), None)


def drawn() -> list[tuple[str, str | None, str | None, str]]:
    """Each class of the drawing: its name, its parent, its second base, and the text after it."""
    rows: list[tuple[str, str | None, str | None, str]] = []
    above: dict[int, str] = {}
    text = inspect.getdoc(errors) or ""
    for line in text.splitlines():
        found = re.fullmatch(r"( *(?:[│├└─]+ *)*)(\w+Error)(?: \((\w+)\))?( .*)?", line)
        if found is None or not line.startswith("    "):
            continue
        depth = len(found[1]) // 4
        above[depth] = found[2]
        rows.append((found[2], above.get(depth - 1), found[3], found[4] or ""))
    return rows


def assert_same(copied: Any, error: VeoError) -> None:
    """Assert that two errors are equal in everything that a user can read."""
    assert type(copied) is type(error)
    assert copied.args == error.args
    assert vars(copied) == vars(error)
    assert str(copied) == str(error)
    assert repr(copied) == repr(error)


def test_drawing_shows_every_class_under_its_parent() -> None:
    """The tree in the module's docstring is the tree of the classes."""
    expected = {name: public_parent(cls) for name, cls in public_classes().items()}

    tree = {name: parent for name, parent, *_ in drawn()}

    assert tree == expected


def test_drawing_names_second_bases() -> None:
    """The drawing names a second base: ValueError, ImportError or TimeoutError."""
    builtin = (ValueError, ImportError, TimeoutError)
    expected = {
        name: base.__name__
        for name, cls in public_classes().items()
        for base in builtin
        if base in cls.__mro__
    }

    bases = {name: base for name, _, base, _ in drawn() if base}

    assert bases == expected


def test_drawing_names_the_codes() -> None:
    """Each code of the service stands in the drawing beside the class that it becomes."""
    expected = {code: cls.__name__ for code, cls in BY_CODE.items()}

    codes = {
        word: name
        for name, *_, rest in drawn()
        for word in re.findall(r"\w+", rest)
        if word in BY_CODE
    }

    assert codes == expected


def test_all_is_complete_and_sorted() -> None:
    """``__all__`` names every public class, in the order of the formatter, and nothing else."""
    names = errors.__all__

    assert sorted(names) == sorted(public_classes())
    assert len(set(names)) == len(names)


def test_every_public_name_ends_in_error() -> None:
    """A class that users catch says in its name that it is an error."""
    assert all(name.endswith("Error") for name in errors.__all__)


def test_cases_cover_every_class() -> None:
    """The table below leaves no class out."""
    assert {type(error).__name__ for error, *_ in CASES} == set(errors.__all__)


@pytest.mark.parametrize("error, may_have_cost, money, step", CASES, ids=IDS)
def test_text_tells_what_happened_the_money_and_the_next_step(
    error: VeoError, may_have_cost: bool, money: str, step: str
) -> None:
    """Each error says what happened, whether money may have been spent, and what to do next."""
    text = str(error)

    assert error.message in text
    assert money in text
    assert step in text
    assert error.may_have_cost is may_have_cost


@every_error
def test_text_and_flag_never_disagree(error: VeoError) -> None:
    """An error that may have cost money never says that nothing was bought."""
    promises = re.search("nothing was (bought|sent)", str(error), re.IGNORECASE)

    assert not (promises and error.may_have_cost)


@every_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_all(error: VeoError, protocol: int) -> None:
    """An error survives a process pool or a task queue with all of its attributes."""
    revived = pickle.loads(pickle.dumps(error, protocol))

    assert_same(revived, error)


@every_error
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copy_keeps_all(error: VeoError, how: Callable[[VeoError], VeoError]) -> None:
    """A copy has all attributes, and a change of the copy leaves the original alone."""
    copied = how(error)

    assert_same(copied, error)
    copied.task_id = "another"
    assert error.task_id != "another"


def test_pickle_keeps_notes_and_what_python_keeps() -> None:
    """Notes, and the fields that Python's own exceptions have, survive as well."""
    error = MissingExtraError(feature="The demo", extra="cli")
    error.add_note("item 7")

    revived = pickle.loads(pickle.dumps(error))

    assert revived.__notes__ == ["item 7"]
    assert revived.msg == error.msg == error.message


@every_error
def test_one_except_catches_all(error: VeoError) -> None:
    """``except VeoError`` catches everything, and everything can be raised."""
    with pytest.raises(VeoError) as caught:
        raise error

    assert caught.value is error


@pytest.mark.parametrize(
    "facts, text",
    [
        ({}, "No."),
        ({"status_code": 400}, "No. (HTTP 400)"),
        ({"code": "bad"}, "No. (code bad)"),
        (
            {"status_code": 400, "code": "bad", "trace_id": "t"},
            "No. (HTTP 400, code bad, trace_id t)",
        ),
    ],
)
def test_api_errors_show_the_facts_that_are_known(facts: dict[str, Any], text: str) -> None:
    """The text has the status, the code and the trace id as far as the answer contained them."""
    assert str(APIError("No.", **facts)).startswith(f"{text} Nothing was bought")


def test_failed_generation_shows_what_support_asks_for() -> None:
    """The text of a failed generation contains the task id, the code and the trace id."""
    error = GenerationFailedError("It broke.", task_id=TASK, code="api_error", trace_id=TRACE)

    assert f"(code api_error, task_id {TASK}, trace_id {TRACE})" in str(error)
