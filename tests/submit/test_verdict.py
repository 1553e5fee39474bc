from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import (
    FAILURE,
    HTML,
    TASK,
    TRACE,
    URL,
    assert_presentable,
    bounded,
    refusal,
    replies,
    reply,
    result,
)
from veo_async._submit.retry import Again, Attempts, LookUp, Stop, after, uncertain, undecided
from veo_async._submit.verdict import (
    NOT_SENT,
    Accepted,
    NotSent,
    Refused,
    Uncertain,
    Verdict,
    judge,
)
from veo_async._wire.replies import Failure, Reply
from veo_async._wire.requests import submit_body
from veo_async.errors import (
    APIError,
    APINotImplementedError,
    BadRequestError,
    ConnectionFailedError,
    ContentRefusedError,
    DisabledError,
    InsufficientBalanceError,
    InvalidTokenError,
    NoAPIError,
    NoTokenError,
    RateLimitError,
    ServerError,
    SubmissionUncertainError,
    TokenExpiredError,
    TokenMismatchedError,
)
from veo_async.models import Get1080p, ImageToVideo, IngredientsToVideo, TextToVideo, VideoRequest
from veo_async.policies import RetryPolicy

NOW = 1_753_435_158.0
IMAGE = "https://cdn.example/first.png"
WITH_ID = {"task_id": TASK}
ADDRESS = "https://wrong.example/veo/videos"
PENDING_VIDEO = {"id": "v", "state": "processing"}
NO_FILE = {"success": True, "data": [{"id": "v"}]}


# The four verdicts.


@pytest.mark.parametrize(
    "status, body, task_id, state",
    [
        # An id.
        (200, WITH_ID, TASK, "pending"),
        (202, WITH_ID, TASK, "pending"),
        (200, {"task_id": TASK, "success": True}, TASK, "pending"),
        (200, {"task_id": TASK, "data": [PENDING_VIDEO]}, TASK, "pending"),
        (200, {"task_id": TASK, "success": False}, TASK, "pending"),
        # A finished result, with and without an id.
        (200, result(), TASK, "succeeded"),
        (200, result(task_id=None), None, "succeeded"),
        (200, result(task_id=""), None, "succeeded"),
        (200, result(task_id=7), "7", "succeeded"),
        (200, {"task_id": 7}, "7", "pending"),
        (200, {"task_id": 1000.0}, "1000", "pending"),
        (200, {"task_id": f" {TASK} "}, TASK, "pending"),
        (429, {"task_id": 1000.0}, "1000", "pending"),
        (200, result(data={"id": "v", "video_url": URL}), TASK, "succeeded"),
        (200, WITH_ID | refusal("api_error"), TASK, "failed"),
        # An id in an answer that failed afterwards: the task list knows how the task stands.
        (500, WITH_ID | refusal("api_error"), TASK, "pending"),
        (502, WITH_ID, TASK, "pending"),
        (504, result(), TASK, "pending"),
        (429, WITH_ID | refusal("too_many_requests"), TASK, "pending"),
        (408, WITH_ID | refusal(), TASK, "pending"),
        (499, WITH_ID, TASK, "pending"),
        (302, WITH_ID, TASK, "pending"),
        (400, WITH_ID, TASK, "pending"),
        (400, WITH_ID | refusal("bad_request"), TASK, "pending"),
        (403, WITH_ID | refusal("used_up"), TASK, "pending"),
    ],
)
def test_accepted_is_an_id_or_a_finished_result(
    status: int, body: Any, task_id: str | None, state: str
) -> None:
    """An id or a finished result is never thrown away, whatever came around it, and from whatever
    address."""
    verdict = judge(reply(status, body))
    from_a_stranger = judge(replace(reply(status, body), unrecognised_address=ADDRESS))

    assert isinstance(verdict, Accepted)
    assert verdict.task_id == task_id
    assert verdict.status.state == state
    assert isinstance(from_a_stranger, Accepted)


def test_words_beside_an_id_are_kept() -> None:
    """A refusal that names a task is no refusal: its words become a warning, in bounds."""
    refused_late = judge(reply(400, WITH_ID | refusal("bad_request", "Too late." + "x" * 2000)))
    accepted = judge(reply(200, WITH_ID))

    assert isinstance(refused_late, Accepted)
    assert isinstance(accepted, Accepted)
    warning = refused_late.status.warning or ""
    assert warning.startswith("the answer to its submit was HTTP 400: Too late.x")
    assert len(warning) == 500
    assert accepted.status.warning is None


@pytest.mark.parametrize(
    "status, body, trace_id",
    [
        (200, WITH_ID, "header-1"),
        (200, WITH_ID | {"trace_id": TRACE}, TRACE),
        (200, WITH_ID | {"trace_id": "two\nlines"}, "header-1"),
        (200, b'{"task_id": "1ebe', "header-1"),
        (400, refusal() | {"trace_id": None}, "header-1"),
        (400, refusal(), TRACE),
        (502, HTML, "header-1"),
    ],
)
def test_the_header_names_what_the_body_does_not(
    status: int, body: Any, trace_id: str | None
) -> None:
    """``x-trace-id`` is the trace id of an answer whose body has none, or cannot be read."""
    verdict = judge(reply(status, body, x_trace_id="header-1, proxy-2"))

    found = verdict.error if isinstance(verdict, Refused) else verdict
    assert not isinstance(found, NotSent)
    assert found.trace_id == trace_id


@pytest.mark.parametrize("header", ["", "x" * 201, "a\x1b[2J"])
def test_a_header_that_can_be_no_id_is_none(header: str) -> None:
    """It goes into queries, messages and log lines."""
    verdict = judge(reply(502, HTML, x_trace_id=header))

    assert isinstance(verdict, Uncertain)
    assert verdict.trace_id is None


def test_a_finished_answer_has_the_trace_id_of_its_header() -> None:
    """The result that support is asked about has one as well."""
    verdict = judge(reply(200, result(), x_trace_id="header-1"))

    assert isinstance(verdict, Accepted)
    assert verdict.status.generation is not None
    assert verdict.status.generation.trace_id == "header-1"


@pytest.mark.parametrize(
    "status, body, error",
    [
        (400, refusal("bad_request"), BadRequestError),
        (400, refusal("api_not_implemented"), APINotImplementedError),
        (400, refusal("token_mismatched"), TokenMismatchedError),
        (401, refusal("token_mismatched"), TokenMismatchedError),
        (400, refusal("no_token"), NoTokenError),
        (400, refusal("disabled"), DisabledError),
        (401, refusal("invalid_token"), InvalidTokenError),
        (401, refusal("token_expired"), TokenExpiredError),
        (403, refusal("used_up"), InsufficientBalanceError),
        (403, refusal("anything_else"), ContentRefusedError),
        (404, refusal("no_api"), NoAPIError),
        (429, refusal("too_many_requests"), RateLimitError),
        # Doubtful: odd bodies that still are the service's error body.
        (400, {"success": False}, BadRequestError),
        (400, {"error": "model is invalid."}, BadRequestError),
        (400, {"error": None}, BadRequestError),
        (404, {"error": {"code": "new_code"}}, APIError),
        (400, refusal("bad_request") | {"task_id": None, "data": [], "error": {}}, BadRequestError),
        # Other forms: any object without an id (seen in the vendor's clients).
        (400, {"detail": "model is invalid."}, BadRequestError),
        (400, {"code": "bad_request", "message": "model is invalid."}, BadRequestError),
        (400, {"code": "used_up", "message": "No."}, InsufficientBalanceError),
        (400, {}, BadRequestError),
        (401, {"detail": "Unauthorized"}, InvalidTokenError),
        (402, {"x402Version": 1, "error": "Payment required"}, InsufficientBalanceError),
        (402, {"accepts": []}, InsufficientBalanceError),
        (403, {"message": "No."}, ContentRefusedError),
        (404, {"detail": "Not Found"}, APIError),
        (413, {"message": "Too large."}, APIError),
        (422, {"detail": [{"loc": ["body", "model"], "msg": "No."}]}, BadRequestError),
        # An error under a status that does not say so.
        (200, refusal("bad_request"), BadRequestError),
        (200, refusal("used_up"), InsufficientBalanceError),
        (200, refusal("api_error"), ServerError),
        (200, refusal("new_code"), APIError),
        (200, {"success": False, "error": "No."}, APIError),
        (201, refusal("bad_request") | {"data": []}, BadRequestError),
        # 429 needs no body: whoever counts the requests answers before anything is done.
        (429, HTML, RateLimitError),
        (429, b"", RateLimitError),
        (429, [WITH_ID], RateLimitError),
        (429, {"task_id": ""}, RateLimitError),
    ],
)
def test_refused_is_an_object_that_says_no_or_429(
    status: int, body: Any, error: type[APIError]
) -> None:
    """The service's own no is a refusal in each of its forms, and costs nothing."""
    verdict = judge(reply(status, body))

    assert isinstance(verdict, Refused)
    assert type(verdict.error) is error
    assert not verdict.error.may_have_cost


@pytest.mark.parametrize(
    "status, body, trace_id",
    [
        # Unreadable, or not an object, or an object that says nothing.
        (200, b"", None),
        (200, HTML, None),
        (200, b'{"task_id": "1ebe4f2b', None),
        (200, [WITH_ID], None),
        (200, b"null", None),
        (200, {}, None),
        (200, {"task_id": None}, None),
        (200, {"task_id": ""}, None),
        (200, {"task_id": True}, None),
        (200, {"trace_id": TRACE}, TRACE),
        # Finished without an id, and without a file either.
        (200, NO_FILE, None),
        # A status without an error, or an error beside something that was made.
        (200, {"success": False}, None),
        (200, {"success": False, "error": None}, None),
        (200, {"error": "No."}, None),
        (200, refusal() | {"data": [{"id": "v"}]}, TRACE),
        (204, b"", None),
        (400, HTML, None),
        (400, [refusal()], None),
        (401, HTML, None),
        (403, HTML, None),
        (404, b"", None),
        (405, HTML, None),
        # A refusal beside something that may be the id of a task.
        (400, refusal() | {"task_id": ["a"]}, TRACE),
        (400, refusal() | {"task_id": {"id": TASK}}, TRACE),
        (400, refusal() | {"taskId": TASK}, TRACE),
        (400, refusal() | {"task_ids": [TASK]}, TRACE),
        (400, refusal() | {"id": TASK}, TRACE),
        (403, refusal("used_up") | {"data": [{"task_id": TASK}]}, TRACE),
        (422, {"detail": "No.", "task_id": ["a"]}, None),
        (200, refusal() | {"task_id": ["a"]}, TRACE),
        (429, refusal("too_many_requests") | {"response": {"task_id": "x" * 201}}, TRACE),
        # A gateway's word about time or order.
        (408, refusal(), TRACE),
        (408, b"", None),
        (409, refusal("duplication"), TRACE),
        (425, {"detail": "Too Early"}, None),
        (499, refusal(), TRACE),
        # Somewhere else.
        (301, b"", None),
        (302, HTML, None),
        (307, refusal(), TRACE),
        (304, b"", None),
        # A server that failed.
        (500, refusal("api_error"), TRACE),
        (500, {"error": "fetch failed"}, None),
        (500, {"success": False, "error": None, "trace_id": TRACE}, TRACE),
        (500, {"trace_id": TRACE}, TRACE),
        (500, result(task_id=None), None),
        (502, HTML, None),
        (503, b"", None),
        (504, [WITH_ID], None),
        (599, refusal("used_up"), TRACE),
        (100, b"", None),
        (999, refusal(), TRACE),
    ],
)
def test_everything_else_is_uncertain(status: int, body: Any, trace_id: str | None) -> None:
    """What is no positive evidence may have been accepted; its trace id is kept to look it up."""
    verdict = judge(reply(status, body))

    assert isinstance(verdict, Uncertain)
    assert verdict.detail.startswith(f"HTTP {status}: ")
    assert verdict.trace_id == trace_id


# While the service was never heard of.


@pytest.mark.parametrize(
    "status, body, headers",
    [
        (301, b"", {"location": "https://api.example/veo/videos"}),
        (302, HTML, {"location": "/login"}),
        (307, b"", {}),
        (308, b"", {}),
        (400, HTML, {}),
        (401, b"", {}),
        (403, HTML, {}),
        (404, b"", {}),
        (404, {"detail": "Not Found"}, {}),
        (405, {"detail": "Method Not Allowed"}, {}),
        (405, HTML, {}),
        (407, b"No.", {}),
        (413, HTML, {}),
    ],
)
def test_a_strangers_page_is_no_answer_of_the_service(
    status: int, body: Any, headers: dict[str, str]
) -> None:
    """An address that has never answered as the service does, and now shows a page or leads away,
    is a wrong one. The error names it, and what came; nobody is billed as far as is known."""
    answer = replace(reply(status, body, **headers), unrecognised_address=ADDRESS)

    verdict = judge(answer)

    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, NoAPIError)
    assert f"POST {ADDRESS} was answered with HTTP {status}" in str(verdict.error)
    assert "is base_url right?" in str(verdict.error)
    assert "Nothing is known to have been bought" in str(verdict.error)
    assert not verdict.error.may_have_cost
    assert isinstance(after(verdict, START, policy=POLICY, now=1000.0, u=0.0), Stop)


@pytest.mark.parametrize(
    "status, body",
    [
        (200, b""),
        (200, b'{"task_id": "1ebe4f2b'),
        (200, {}),
        (202, b""),
        (303, b""),
        (304, b""),
        (408, HTML),
        (409, HTML),
        (425, HTML),
        (499, HTML),
        (500, HTML),
        (502, b""),
        (503, HTML),
    ],
)
def test_what_a_gateway_may_say_after_acceptance_stays_uncertain(status: int, body: Any) -> None:
    """A torn answer, a 5xx, a word about time: the request may have been passed on, also if
    nothing was ever heard of the service. The address is named."""
    verdict = judge(replace(reply(status, body), unrecognised_address=ADDRESS))

    assert isinstance(verdict, Uncertain)
    assert f"(from {ADDRESS})" in verdict.detail
    assert verdict.foreign_address is None


@pytest.mark.parametrize(
    "body, headers",
    [
        (HTML, {}),
        (b"  <!doctype html>", {}),
        (b"Log in.", {"content_type": "Text/HTML; charset=utf-8"}),
    ],
)
def test_a_page_with_200_asks_who_is_there(body: bytes, headers: dict[str, str]) -> None:
    """It may be a login page, and it may hide an acceptance: the task list can tell."""
    answer = reply(200, body, **headers)

    first, later = judge(replace(answer, unrecognised_address=ADDRESS)), judge(answer)

    assert isinstance(first, Uncertain)
    assert isinstance(later, Uncertain)
    assert (first.foreign_address, later.foreign_address) == (ADDRESS, None)


def test_a_strangers_429_is_a_429() -> None:
    """A 429 comes before anything is done, and a later request may pass."""
    verdict = judge(replace(reply(429, HTML), unrecognised_address=ADDRESS))

    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, RateLimitError)


def test_a_stranger_that_names_a_task_is_searched_for() -> None:
    """An id that cannot be used is no proof of a refusal, from whichever host."""
    answer = replace(reply(404, {"data": {"task_id": TASK}}), unrecognised_address=ADDRESS)

    assert isinstance(judge(answer), Uncertain)


def test_a_first_refusal_in_another_form_keeps_its_class_and_its_words() -> None:
    """The service itself refuses so, too. The address is named, since it may be another's."""
    verdict = judge(replace(reply(402, {"message": "Pay first."}), unrecognised_address=ADDRESS))

    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, InsufficientBalanceError)
    assert verdict.error.message == f"Pay first. (from {ADDRESS})"


AIOHTTP = "aiohttp.client_exceptions."


@pytest.mark.parametrize(
    "failure, sent",
    [
        (Failure("httpx", ("httpx.ConnectError", "httpx.NetworkError")), False),
        (Failure("httpx", ("httpx.ConnectTimeout", "httpx.TimeoutException")), False),
        (Failure("httpx", ("httpx.PoolTimeout",)), False),
        (Failure("httpx", ("httpx.ProxyError",)), False),
        (Failure("httpx", ("mine.Refused", "httpx.ConnectError")), False),
        (Failure("httpx", ("httpx.ReadTimeout", "httpx.TimeoutException")), True),
        (Failure("httpx", ("httpx.WriteTimeout",)), True),
        (Failure("httpx", ("httpx.WriteError", "httpx.NetworkError")), True),
        (Failure("httpx", ("httpx.ReadError",)), True),
        (Failure("httpx", ("httpx.RemoteProtocolError",)), True),
        (Failure("httpx", ("builtins.TimeoutError",)), True),
        (Failure("httpx", ("builtins.Exception",), cause=("httpx.ConnectError",)), True),
        (Failure("httpx", ()), True),
        # httpx_aiohttp says ConnectTimeout also of "accepted, then dropped": the cause decides.
        (Failure("aiohttp", ("httpx.ConnectTimeout",)), True),
        (
            Failure("aiohttp", ("httpx.ConnectTimeout",), (AIOHTTP + "ServerDisconnectedError",)),
            True,
        ),
        (Failure("aiohttp", (AIOHTTP + "ClientConnectorError",)), True),
        (
            Failure("aiohttp", ("httpx.ConnectError",), (AIOHTTP + "ClientConnectorError",)),
            False,
        ),
        (
            Failure(
                "aiohttp",
                ("httpx.ConnectError",),
                (AIOHTTP + "ClientConnectorDNSError", AIOHTTP + "ClientConnectorError"),
            ),
            False,
        ),
        (
            Failure("aiohttp", ("httpx.ConnectTimeout",), (AIOHTTP + "ConnectionTimeoutError",)),
            False,
        ),
        # An unknown transport's exceptions prove nothing, whatever they are called.
        (Failure("unknown", ("httpx.ConnectError",), (AIOHTTP + "ClientConnectorError",)), True),
        (Failure("", ("httpx.ConnectError",)), True),
    ],
)
def test_not_sent_takes_positive_evidence(failure: Failure, sent: bool) -> None:
    """Only what a transport provably raises before the first byte counts as not sent."""
    verdict = judge(failure)

    assert verdict == (Uncertain(failure.detail) if sent else NotSent(failure))


@pytest.mark.parametrize("family, name", [(f, n) for f in NOT_SENT for n in sorted(NOT_SENT[f][1])])
def test_every_proof_counts_in_its_own_place_only(family: str, name: str) -> None:
    """Each proof of the table is looked for in the exception or in its cause, never in both."""
    in_cause = NOT_SENT[family][0] == "cause"

    as_error = judge(Failure(family, error=(name,)))
    as_cause = judge(Failure(family, error=(), cause=(name,)))

    assert isinstance(as_cause if in_cause else as_error, NotSent)
    assert isinstance(as_error if in_cause else as_cause, Uncertain)


def test_cause_of_an_uncertain_failure_is_kept() -> None:
    """The transport's exception is there to raise ours from."""
    exception = OSError("reset")

    verdict = judge(Failure("httpx", ("httpx.ReadError",), exception=exception))

    assert isinstance(verdict, Uncertain)
    assert verdict.cause is exception


@bounded
@given(replies)
def test_every_reply_has_one_verdict(answer: Reply) -> None:
    """Any answer is judged, never as not sent; without an id or a result never as accepted, and
    an uncertain one stays so however often it is looked at."""
    verdict = judge(answer)

    assert isinstance(verdict, Accepted | Refused | Uncertain)
    if isinstance(verdict, Accepted):
        assert verdict.task_id or verdict.status.generation
        assert_presentable(verdict.status.generation)
        assert_presentable(verdict.status.error)
    if isinstance(verdict, Refused):
        assert 200 <= answer.status < 300 or 400 <= answer.status < 500
        assert_presentable(verdict.error)
    assert repr(verdict)


# What follows.

POLICY = RetryPolicy(attempts=3, rate_limit_attempts=3, max_elapsed=100, backoff=1, max_backoff=8)
RESEND = POLICY.model_copy(update={"on_uncertain": "resend"})
RAISE = POLICY.model_copy(update={"on_uncertain": "raise"})
START = Attempts(started=1000.0, action="text2video")
UNSENT = NotSent(Failure("httpx", ("httpx.ConnectError",), detail="refused"))
LOST = Uncertain("HTTP 502: bad gateway", trace_id=TRACE)


def refused(cls: type[APIError], status: int = 400) -> Refused:
    """A refusal of this class."""
    return Refused(cls("No.", status_code=status))


THROTTLED = refused(RateLimitError, 429)


def run(
    verdict: NotSent | Refused | Uncertain, policy: RetryPolicy, *, each: float = 0.0
) -> tuple[int, list[float], Stop]:
    """Meet the same verdict again and again, and never find it in the list: how often it was
    sent, the delays, the end."""
    attempts, now, delays = START, START.started, list[float]()
    while len(delays) < 1000:
        step = after(verdict, attempts, policy=policy, now=now, u=0.0)
        if isinstance(step, LookUp):
            step = step.if_absent
        if isinstance(step, Stop):
            return len(delays) + 1, delays, step
        attempts, now = step.attempts, now + step.delay + each
        delays.append(step.delay)
    raise AssertionError("it is sent for ever")


def test_not_sent_is_sent_again_a_few_times() -> None:
    """What never left this machine is sent again, ever later, up to ``attempts`` times."""
    sent, delays, stop = run(UNSENT, POLICY)

    assert sent == 3
    assert delays == [0.5, 1.0]
    assert isinstance(stop.error, ConnectionFailedError)
    assert "refused" in str(stop.error)
    assert not stop.error.may_have_cost


def test_429_waits_for_the_limiter_alone() -> None:
    """The pause after a 429 is everybody's, so the submit adds none of its own."""
    sent, delays, stop = run(THROTTLED, POLICY)

    assert (sent, delays) == (3, [0.0, 0.0])
    assert stop.error is THROTTLED.error


def test_rate_limit_that_no_429_carried_waits_for_itself() -> None:
    """The limiter hears of 429s only, so the word under another status must not become a storm."""
    sent, delays, _ = run(refused(RateLimitError, 403), POLICY)

    assert (sent, delays) == (3, [0.5, 1.0])


def test_uncertain_is_looked_up_before_anything_else() -> None:
    """By default the task list is asked first; only what is not there is sent again."""
    step = after(LOST, START, policy=POLICY, now=1000.0, u=0.0)

    assert isinstance(step, LookUp)
    assert isinstance(step.error, SubmissionUncertainError)
    assert (step.error.trace_id, step.error.may_have_cost) == (TRACE, True)
    assert step.if_absent == Again(replace(START, lost=1), delay=0.5)


@pytest.mark.parametrize(
    "attempts, now, times",
    [
        pytest.param(replace(START, lost=2), 1000.0, "3 times", id="the last attempt"),
        pytest.param(START, 1100.0, "once", id="max_elapsed is over"),
    ],
)
def test_what_is_absent_is_sent_again_within_bounds(
    attempts: Attempts, now: float, times: str
) -> None:
    """Where nothing may be sent again, the list is asked all the same: it may have the task. If
    it has not, it is certain that nothing was bought, and the error says so."""
    step = after(LOST, attempts, policy=POLICY, now=now, u=0.0)

    assert isinstance(step, LookUp)
    assert isinstance(step.if_absent, Stop)
    assert isinstance(step.if_absent.error, ConnectionFailedError)
    assert not step.if_absent.error.may_have_cost
    assert f"sent {times}, and no answer" in str(step.if_absent.error)


def test_absent_is_sent_a_few_times() -> None:
    """A submit that is lost and absent again and again is sent ``attempts`` times, ever later."""
    sent, delays, stop = run(LOST, POLICY)

    assert (sent, delays) == (3, [0.5, 1.0])
    assert isinstance(stop.error, ConnectionFailedError)


def test_undecided_tells_what_was_lost_and_why_nobody_knows() -> None:
    """The error holds both reasons and the trace id: money may have been spent."""
    error = undecided(uncertain(LOST), "the task list could not be read to its end")

    assert "bad gateway" in str(error)
    assert "the task list could not be read to its end" in str(error)
    assert (error.trace_id, error.may_have_cost) == (TRACE, True)


def test_uncertain_is_raised_at_once_under_raise() -> None:
    """An uncertain submit raises at once, with its trace id; it may have cost money."""
    sent, _, stop = run(LOST, RAISE)

    assert sent == 1
    assert isinstance(stop.error, SubmissionUncertainError)
    assert stop.error.trace_id == TRACE
    assert stop.error.may_have_cost
    assert "bad gateway" in str(stop.error)


def test_uncertain_is_sent_again_under_resend() -> None:
    """Whoever takes the risk of paying twice gets as many attempts, and not more."""
    sent, delays, stop = run(LOST, RESEND)

    assert (sent, delays) == (3, [0.5, 1.0])
    assert isinstance(stop.error, SubmissionUncertainError)


@pytest.mark.parametrize("verdict", [UNSENT, LOST, THROTTLED, refused(RateLimitError, 403)])
def test_retries_are_bounded_in_time(verdict: NotSent | Refused | Uncertain) -> None:
    """However many attempts are left, ``max_elapsed`` ends them."""
    patient = RESEND.model_copy(update={"attempts": 10**6, "rate_limit_attempts": 10**6})

    sent, delays, _ = run(verdict, patient, each=10.0)

    assert sent <= 12
    assert sum(delays) + 10.0 * len(delays) <= 110.0


def test_counts_do_not_mix() -> None:
    """A few connections that failed take nothing from the patience with 429s."""
    attempts = Attempts(started=1000.0, action="text2video", unsent=2, lost=2)

    step = after(THROTTLED, attempts, policy=RESEND, now=1000.0, u=0.0)

    assert step == Again(
        Attempts(started=1000.0, action="text2video", unsent=2, lost=2, throttled=1)
    )


@pytest.mark.parametrize(
    "cls",
    [
        APIError,
        BadRequestError,
        APINotImplementedError,
        NoAPIError,
        ContentRefusedError,
        InvalidTokenError,
        InsufficientBalanceError,
        ServerError,
    ],
)
@pytest.mark.parametrize("action", ["text2video", "image2video", "ingredients2video"])
def test_other_refusals_raise_at_once(cls: type[APIError], action: str) -> None:
    """The service's no is told as it is, and asked for once."""
    verdict = refused(cls)
    attempts = Attempts(started=0.0, action=action)

    assert after(verdict, attempts, policy=RESEND, now=0.0, u=0.0) == Stop(verdict.error)


@pytest.mark.parametrize("first, other", [("get_1080p", "get1080p"), ("get1080p", "get_1080p")])
@pytest.mark.parametrize("cls", [BadRequestError, APINotImplementedError])
def test_other_spelling_is_tried_once(first: str, other: str, cls: type[APIError]) -> None:
    """Where get_1080p is refused, the other spelling is sent once; if that is refused as well,
    the first refusal is told, since it is about what the caller asked for."""
    spelled, respelled = refused(cls), refused(BadRequestError)
    attempts = Attempts(started=0.0, action=first)

    step = after(spelled, attempts, policy=POLICY, now=0.0, u=0.0)
    assert step == Again(Attempts(started=0.0, action=other, misspelled=spelled.error))
    assert isinstance(step, Again)
    end = after(respelled, step.attempts, policy=POLICY, now=0.0, u=0.0)

    assert end == Stop(spelled.error)


@pytest.mark.parametrize("cls", [InsufficientBalanceError, InvalidTokenError, NoAPIError])
def test_refusal_that_is_not_about_the_spelling_is_told(cls: type[APIError]) -> None:
    """An empty balance is told as such, under either spelling, and no other one is tried."""
    verdict = refused(cls)
    fresh = Attempts(started=0.0, action="get_1080p")
    respelled = Attempts(started=0.0, action="get1080p", misspelled=BadRequestError("No."))

    for attempts in (fresh, respelled):
        assert after(verdict, attempts, policy=POLICY, now=0.0, u=0.0) == Stop(verdict.error)


def test_spelling_outlives_a_429() -> None:
    """A 429 in between changes neither the spelling nor the refusal that is remembered."""
    before = Attempts(started=0.0, action="get1080p", misspelled=BadRequestError("No."))

    step = after(THROTTLED, before, policy=POLICY, now=0.0, u=0.0)

    assert isinstance(step, Again)
    assert (step.attempts.action, step.attempts.misspelled) == ("get1080p", before.misspelled)


VERDICTS = [UNSENT, LOST, THROTTLED, refused(BadRequestError), refused(ServerError)]


@bounded
@given(
    st.lists(st.sampled_from(VERDICTS), min_size=60, max_size=60),
    st.sampled_from(["text2video", "get_1080p", "get1080p"]),
    st.floats(0, 1, exclude_max=True),
)
def test_every_submit_ends(
    verdicts: list[NotSent | Refused | Uncertain], action: str, u: float
) -> None:
    """Whatever comes in whatever order, a submit is sent a bounded number of times, and never
    again after an uncertain end unless it provably is not there."""
    attempts, sent = Attempts(started=0.0, action=action), 0
    for verdict in verdicts:
        sent += 1
        step = after(verdict, attempts, policy=POLICY, now=0.0, u=u)
        assert isinstance(step, LookUp) == (verdict is LOST)
        if isinstance(step, LookUp):
            step = step.if_absent
        if isinstance(step, Stop):
            break
        attempts = step.attempts

    # Two connections that failed, two that were absent, two 429s, one other spelling, the last one.
    assert sent <= 2 + 2 + 2 + 1 + 1


# The body.


@pytest.mark.parametrize(
    "request_, body",
    [
        (TextToVideo(prompt="a"), {"action": "text2video", "model": "veo3-fast", "prompt": "a"}),
        (
            TextToVideo(
                prompt="a", model="veo31", aspect_ratio="9:16", resolution="4k", translation=False
            ),
            {
                "action": "text2video",
                "model": "veo31",
                "prompt": "a",
                "aspect_ratio": "9:16",
                "resolution": "4k",
                "translation": False,
            },
        ),
        (
            ImageToVideo(prompt="a", image_urls=(IMAGE, IMAGE)),
            {
                "action": "image2video",
                "model": "veo3-fast",
                "prompt": "a",
                "image_urls": [IMAGE, IMAGE],
            },
        ),
        (
            IngredientsToVideo(prompt="a", image_urls=[IMAGE]),
            {
                "action": "ingredients2video",
                "model": "veo3-fast",
                "prompt": "a",
                "image_urls": [IMAGE],
            },
        ),
        (
            Get1080p(video_id="v"),
            {"action": "get_1080p", "model": "veo3-fast", "video_id": "v"},
        ),
        (
            TextToVideo(prompt="a", extra_body={"seed": 7, "negative_prompt": None}),
            {
                "action": "text2video",
                "model": "veo3-fast",
                "prompt": "a",
                "seed": 7,
                "negative_prompt": None,
            },
        ),
    ],
)
def test_only_what_was_asked_for_is_sent(request_: VideoRequest, body: dict[str, Any]) -> None:
    """The body holds the chosen fields, the model and the action; ``async`` where it is wanted."""
    assert submit_body(request_, action=request_.action, asynchronous=False) == body
    assert submit_body(request_, action=request_.action, asynchronous=True) == body | {
        "async": True
    }


def test_body_bears_the_spelling_of_the_attempt() -> None:
    """The action is sent as this attempt spells it."""
    request = Get1080p(video_id="v")

    assert submit_body(request, action="get1080p", asynchronous=False)["action"] == "get1080p"


def test_verdicts_are_values() -> None:
    """Two equal answers have equal verdicts."""
    one: Verdict = judge(FAILURE)

    assert one == judge(FAILURE)


@pytest.mark.parametrize(
    "task_id", ["", "x" * 201, "   ", "two\nlines", "\x1b[2J", True, None, ["a"]]
)
def test_what_can_be_no_id_is_none(task_id: object) -> None:
    """An id goes into questions, messages and log lines: one that cannot be one proves nothing."""
    answer = reply(200, {"task_id": task_id})

    assert isinstance(judge(answer), Uncertain)
