from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.wire import (
    FAILURE,
    HTML,
    TASK,
    assert_presentable,
    bounded,
    refusal,
    replies,
    reply,
    result,
)
from veo_async import TaskRecord
from veo_async._wire.replies import Answer, Reply
from veo_async._wire.requests import PAGE, batch_body, chunks, list_body
from veo_async._wire.task_queries import Listing, Page, is_transient, read_one, read_page
from veo_async.errors import (
    APIError,
    BadRequestError,
    ConnectionFailedError,
    ContentRefusedError,
    InvalidTokenError,
    NoAPIError,
    RateLimitError,
    ServerError,
    TaskNotFoundError,
    UndecodableReplyError,
    VeoError,
)

NOW = 1_753_435_158.0
RECORD = {"id": TASK, "created_at": 1753435158.509, "response": result()}


def test_list_asks_for_a_window_and_a_page() -> None:
    """A page has an explicit limit; what was not chosen is not sent."""
    everything = list_body(
        offset=0, type=None, user_id=None, created_at_min=None, created_at_max=None
    )
    window = list_body(
        offset=50, type="videos", user_id="u", created_at_min=0.0, created_at_max=9.5
    )

    assert everything == {"action": "retrieve_batch", "offset": 0, "limit": PAGE}
    assert window == {
        "action": "retrieve_batch",
        "offset": 50,
        "limit": PAGE,
        "type": "videos",
        "user_id": "u",
        "created_at_min": 0.0,
        "created_at_max": 9.5,
    }


def test_batch_asks_by_ids_or_by_trace_ids() -> None:
    """Several records are asked for with their number, since the page default is 12."""
    assert batch_body(["a", "b"]) == {"action": "retrieve_batch", "ids": ["a", "b"], "limit": 2}
    assert batch_body(["t"], by="trace_ids") == {
        "action": "retrieve_batch",
        "trace_ids": ["t"],
        "limit": 1,
    }


@pytest.mark.parametrize(
    "count, sizes", [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])]
)
def test_ids_are_asked_for_in_portions(count: int, sizes: list[int]) -> None:
    """No question holds more ids than the vendor recommends, and none is lost."""
    ids = [f"t{i}" for i in range(count)]

    portions = list(chunks(ids))

    assert [len(portion) for portion in portions] == sizes
    assert [task_id for portion in portions for task_id in portion] == ids


@pytest.mark.parametrize(
    "answer, passing",
    [
        (FAILURE, True),
        (reply(429, HTML), True),
        (reply(500, refusal("api_error")), True),
        (reply(502, HTML), True),
        (reply(403, HTML), True),
        (reply(200, HTML), False),
        (reply(302), False),
        (reply(400, refusal()), False),
        (reply(401, refusal("invalid_token")), False),
        (reply(403, refusal("disabled")), False),
        (reply(404, refusal()), False),
    ],
)
def test_only_what_may_pass_is_asked_again(answer: Answer, passing: bool) -> None:
    """No answer, a 429, a 5xx and a firewall's 403 may be over next time; the rest stays as it
    is."""
    assert is_transient(answer) is passing


@pytest.mark.parametrize(
    "items, ids",
    [
        ([], []),
        ([RECORD], [TASK]),
        ([RECORD, RECORD | {"id": "b"}], [TASK, "b"]),
        ([RECORD | {"id": 7}], ["7"]),
    ],
)
def test_page_gives_its_records(items: list[Any], ids: list[str]) -> None:
    """The records come in their order; an id that is a number is its digits."""
    page = read_page(reply(200, {"items": items, "count": 99}))

    assert [record.id for record in page.records] == ids
    assert {record.state for record in page.records} <= {"succeeded"}
    assert page.unreadable == 0


@pytest.mark.parametrize(
    "item", [None, 7, "x", [], {}, {"id": None}, {"id": ""}, {"id": True}, {"_id": "a"}]
)
def test_a_page_with_an_entry_that_is_no_record_is_not_readable(item: Any) -> None:
    """Such an entry is passed over, and said: it may be any task of the account."""
    page = read_page(reply(200, {"items": [RECORD, item], "count": 2}))

    assert [record.id for record in page.records] == [TASK]
    assert page.unreadable == 1


FAILURES: list[tuple[Answer, type[VeoError]]] = [
    (FAILURE, ConnectionFailedError),
    (reply(200, HTML), UndecodableReplyError),
    (reply(200, b""), UndecodableReplyError),
    (reply(200, b'{"items": ['), UndecodableReplyError),
    (reply(200, [RECORD]), UndecodableReplyError),
    (reply(200, refusal("api_error")), UndecodableReplyError),
    (reply(302, HTML), UndecodableReplyError),
    (reply(400, refusal()), BadRequestError),
    (reply(401, refusal("invalid_token")), InvalidTokenError),
    (reply(403, HTML), ContentRefusedError),
    (reply(404, refusal("no_api")), NoAPIError),
    (reply(404, HTML), APIError),
    (reply(429, b""), RateLimitError),
    (reply(502, HTML), ServerError),
]


@pytest.mark.parametrize("answer, cls", FAILURES)
def test_question_that_fails_raises_the_right_class(answer: Answer, cls: type[VeoError]) -> None:
    """A question is free, so no failure of one says that money may have been spent."""
    for ask in (lambda: read_page(answer), lambda: read_one(answer, TASK)):
        with pytest.raises(VeoError) as caught:
            ask()

        assert type(caught.value) is cls
        assert not caught.value.may_have_cost


@pytest.mark.parametrize("body", [{}, RECORD, {"items": {}}, {"items": None}])
def test_page_without_items_is_unreadable(body: Any) -> None:
    """A page is a list of items; anything else would look like an empty account."""
    with pytest.raises(UndecodableReplyError):
        read_page(reply(200, body))


def test_one_record_is_read() -> None:
    """A retrieve answers the record itself."""
    record = read_one(reply(200, RECORD), TASK)

    assert (record.id, record.state) == (TASK, "succeeded")


def test_record_is_judged_by_the_clock_of_its_answer() -> None:
    """A task that was over without a video minutes before the answer's own date has failed."""
    over = {"id": TASK, "finished_at": NOW, "response": {"success": True}}
    soon, late = (
        reply(200, over, date=date)
        for date in ("Fri, 25 Jul 2025 09:20:00 GMT", "Fri, 25 Jul 2025 09:30:00 GMT")
    )

    assert read_one(soon, TASK).state == "pending"
    assert read_one(late, TASK).state == "failed"
    [listed] = read_page(reply(200, {"items": [over]}, date=late.headers["date"])).records
    assert listed.state == "failed"


def test_record_of_another_task_is_none_of_ours() -> None:
    """A record with another id than was asked for would give somebody else's video."""
    with pytest.raises(UndecodableReplyError):
        read_one(reply(200, RECORD | {"id": "another"}), TASK)


@pytest.mark.parametrize(
    "status, body",
    [
        (200, {}),
        (200, b"null"),
        (200, refusal("not_found")),
        (404, refusal()),
        (404, {"error": "no"}),
    ],
)
def test_unknown_id_is_not_found(status: int, body: Any) -> None:
    """The service says that it does not know an id with ``{}``, null, an error, or with 404."""
    with pytest.raises(TaskNotFoundError, match=TASK) as caught:
        read_one(reply(status, body), TASK)

    assert caught.value.task_id == TASK


@bounded
@given(replies)
def test_every_answer_gives_records_or_our_error(answer: Reply) -> None:
    """Any answer is records that can be shown, or an error of ours that can be."""
    try:
        records = [*read_page(answer).records, read_one(answer, TASK)]
    except VeoError as error:
        assert_presentable(error)
        return

    for record in records:
        assert_presentable(record)


def pages_of(*pages: tuple[list[str], int, int]) -> Listing:
    """A list of these pages: ids, entries that are no records, and the service's count."""
    listing = Listing()
    for ids, unreadable, count in pages:
        assert not listing.is_over
        records = [TaskRecord.model_validate({"id": task_id}) for task_id in ids]
        listing.add(Page(records, unreadable, count))
    return listing


EMPTY: tuple[list[str], int, int] = ([], 0, 0)


@pytest.mark.parametrize(
    "pages, complete",
    [
        pytest.param([EMPTY], True, id="an empty list"),
        pytest.param([(["a", "b"], 0, 3), (["c"], 0, 3), EMPTY], True, id="its pages"),
        pytest.param([(["a", "b"], 0, 2), (["c"], 0, 1), EMPTY], True, id="a count of each page"),
        pytest.param([(["a", "b"], 0, 3), (["b", "c"], 0, 3), EMPTY], True, id="pages that shift"),
        pytest.param(
            [(["a"], 0, 2), (["a"], 0, 2), (["b"], 0, 2), EMPTY], True, id="a page of old ones"
        ),
        pytest.param([(["a", "a"], 0, 1), EMPTY], True, id="a record twice"),
        pytest.param([(["a"], 0, 6), EMPTY], False, id="fewer than the service counts"),
        pytest.param([(["a"], 1, 2), EMPTY], False, id="an entry that is no record"),
        pytest.param([([], 2, 3), (["a"], 0, 3), EMPTY], False, id="a page of such entries"),
        pytest.param([(["a"], 0, 0)] * 4, False, id="a service that ignores the offset"),
        pytest.param([(["a"], 0, 2)], False, id="not read to its end"),
    ],
)
def test_when_a_list_is_complete(pages: list[tuple[list[str], int, int]], complete: bool) -> None:
    """It ends with an empty page, all entries are records, and the service counts no more."""
    assert pages_of(*pages).is_complete is complete


def test_a_list_goes_on_behind_a_page_without_a_record() -> None:
    """What can be read is read; only three such pages in a row end the list."""
    listing = pages_of(([], 2, 0), (["a"], 0, 0))

    assert (listing.offset, listing.is_over) == (3, False)
    assert pages_of(*[([], 2, 0)] * 3).is_over
