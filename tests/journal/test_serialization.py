from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async import (
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    TextToVideo,
    Video,
    errors,
)
from veo_async import VideoRequest as AnyRequest
from veo_async._journal import serialization
from veo_async.errors import (
    APIError,
    DownloadError,
    GenerationFailedError,
    InvalidRequestError,
    JournalError,
    MissingExtraError,
    RateLimitError,
    SubmissionUncertainError,
    VeoError,
    WaitTimeoutError,
)

URL = "https://h.example/a.png"
REQUESTS: list[AnyRequest] = [
    TextToVideo(prompt="\u00e4 \U0001f600 \0 mug", aspect_ratio="9:16", translation=False),
    ImageToVideo(prompt="a", image_urls=[URL, URL], callback_url="https://cb.example/"),
    IngredientsToVideo(prompt="a", image_urls=[URL], extra_body={"b": None, "a": {"x": None}}),
    Get1080p(video_id="v", model="veo99"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.action)
def test_a_request_comes_back_equal(request_: AnyRequest) -> None:
    """Also nulls that the caller sends on purpose. The text is ASCII and on one line."""
    text = serialization.dump_request(request_)

    assert serialization.load_request(text) == request_
    assert text.isascii()
    assert text.isprintable()


def test_equal_requests_have_equal_texts() -> None:
    """Neither the order of fields nor defaults that were named make a difference."""
    one = TextToVideo(prompt="a", extra_body={"x": 1, "y": 2})
    two = TextToVideo(extra_body={"y": 2, "x": 1}, model="veo3-fast", prompt="a", resolution=None)

    assert serialization.dump_request(one) == serialization.dump_request(two)


DAMAGED = ["", "{", "[]", "null", '{"action":"fly"}', '{"action":"text2video"}', "[" * 10**5]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_request_is_an_error_of_ours(text: str) -> None:
    """Any other text; a request that this version refuses is damaged too."""
    with pytest.raises(JournalError, match="cannot read"):
        serialization.load_request(text)


@pytest.mark.parametrize("text", ["", "[]", '{"\\ud800": 1}', '{"data": [{"\\ud800": 1}]}'])
def test_a_damaged_result_is_an_error_of_ours(text: str) -> None:
    """Also where a name in it is no valid text."""
    with pytest.raises(JournalError, match="cannot read"):
        serialization.load_generation(text)


def test_a_result_keeps_the_wires_names_and_what_is_unknown() -> None:
    """Nothing is added, nothing is lost."""
    wire = {
        "success": True,
        "task_id": "t",
        "elapsed": 3.5,
        "data": [{"id": "v", "video_url": URL, "created_at": "2025-07-25 17:19:20", "new": [1]}],
    }
    generation = Generation.model_validate(wire)
    text = serialization.dump_generation(generation)

    assert serialization.load_generation(text) == generation
    assert json.loads(text).keys() == wire.keys()
    assert json.loads(text)["data"][0].keys() == {"id", "video_url", "created_at", "new"}


def api_error(cls: type[APIError]) -> APIError:
    """With every attribute set."""
    return cls(
        "no",
        status_code=418,
        code="c",
        trace_id="tr",
        body={"error": {"code": "c", "n": [1, None, True]}},
        task_id="t",
        may_have_cost=True,
    )


VIDEO = Video.model_validate({"id": "v", "video_url": URL, "more": 1})
ERRORS: list[VeoError] = [
    VeoError("plain", task_id="t", may_have_cost=True),
    InvalidRequestError("no", field="prompt"),
    RateLimitError("slow", retry_after=3.5, status_code=429),
    WaitTimeoutError("late", task_id=None),
    GenerationFailedError("no", task_id="t", code="c", trace_id="tr", videos=(VIDEO,)),
    SubmissionUncertainError("lost", request=REQUESTS[2], sent_at=10.5, trace_id="tr"),
    SubmissionUncertainError("lost"),
    DownloadError("no", url=URL, path="out/a.mp4", task_id="t"),
    MissingExtraError(feature="The command line", extra="cli"),
    JournalError("no", path="run.db", key="k", task_id="t"),
    *(
        api_error(cls)
        for cls in vars(errors).values()
        if inspect.isclass(cls) and issubclass(cls, APIError)
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_itself(error: VeoError) -> None:
    """The same class, the same attributes, the same text."""
    text = serialization.dump_error(error)
    back = serialization.load_error(text)

    assert back is not None
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert (str(back), back.args) == (str(error), error.args)
    assert text.isascii()


def test_what_json_has_not_becomes_text() -> None:
    """A path, or bytes."""
    error = APIError("no", body={"1": b"x", "path": Path("out") / "a.mp4", "many": (1, 2)})
    back = serialization.load_error(serialization.dump_error(error))

    assert isinstance(back, APIError)
    assert back.body == {"1": "b'x'", "path": str(Path("out/a.mp4")), "many": [1, 2]}


def test_what_an_error_came_from_is_not_stored() -> None:
    """Causes hold frames, headers and other people's texts."""
    error = VeoError("outer")
    error.__cause__ = ValueError("Bearer of secrets")

    assert "secrets" not in serialization.dump_error(error)


@pytest.mark.parametrize("name", ["TomorrowsError", "annotations", "Any", "_Resumable", "__doc__"])
def test_an_unknown_class_is_read_as_the_root(name: str) -> None:
    """Nothing but the public tree is ever made from a name; the facts stay."""
    text = json.dumps({"class": name, "facts": {"message": "new", "task_id": "t", "more": 1}})
    back = serialization.load_error(text)

    assert type(back) is VeoError
    assert (str(back), back.task_id, back.may_have_cost) == ("new", "t", False)


@pytest.mark.parametrize("cls", sorted(errors.__all__))
def test_an_error_without_its_facts_can_be_shown(cls: str) -> None:
    """An earlier version may have stored fewer attributes than the class has now."""
    back = serialization.load_error(json.dumps({"class": cls, "facts": {}}))

    assert type(back).__name__ == cls
    assert str(back)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"class":1,"facts":{}}',
        '{"class":"VeoError","facts":[]}',
        '{"class":"SubmissionUncertainError","facts":{"request":{"action":"fly"}}}',
        '{"class":"GenerationFailedError","facts":{"videos":3}}',
        '{"class":"GenerationFailedError","facts":{"videos":[3]}}',
    ],
)
def test_a_damaged_error_is_an_error_of_ours(text: str) -> None:
    """Also where the parts are damaged."""
    with pytest.raises(JournalError, match="cannot read"):
        serialization.load_error(text)


def test_what_cannot_be_written_is_an_error_of_ours() -> None:
    """Such as a value that holds itself."""
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(JournalError, match="cannot be written"):
        serialization.dumps(endless)
    with pytest.raises(JournalError, match="cannot be written"):
        serialization.dump_error(APIError("no", body=endless))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(body=JSON, message=st.text(), seconds=st.floats(allow_nan=False))
def test_any_json_in_an_error_comes_back(body: Any, message: str, seconds: float) -> None:
    """Any text of the service, half a surrogate pair included."""
    error = RateLimitError(message, body=body, retry_after=seconds)
    back = serialization.load_error(serialization.dump_error(error))

    assert back is not None
    assert vars(back) == vars(error)
