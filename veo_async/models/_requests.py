"""Requests: closed types, since we send them. An impossible field is refused before anything is
sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .._base.values import JSONFields, RequiredText, Value, WebAddress
from ..errors import InvalidRequestError

DEFAULT_MODEL = "veo3-fast"
"""The vendor's own default (the vendor's OpenAPI document)."""

Action = Literal["text2video", "image2video", "ingredients2video", "get_1080p"]
"""The kinds of request, in the wire's words."""

AspectRatio = Literal["16:9", "9:16", "3:4", "4:3", "1:1"]
"""The shapes of a picture that the service offers."""

Resolution = Literal["1080p", "4k", "gif"]
"""The sizes of a picture that a request can ask for."""

KNOWN_MODELS = (
    "veo2",
    "veo2-fast",
    "veo3",
    "veo3-fast",
    "veo31",
    "veo31-fast",
    "veo31-fast-ingredients",
)
"""The models of the vendor's documents. Other names are passed on, and nothing is known of them."""

_OURS = frozenset({"action", "async", "callback_url", "extra_body"})


class _Request(Value):
    model: RequiredText = DEFAULT_MODEL
    callback_url: WebAddress | None = None
    extra_body: JSONFields = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_field_twice(self) -> Self:
        if not self.extra_body:
            return self
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        taken = given | _OURS
        twice = sorted(self.extra_body.keys() & taken)
        if twice:
            problem = f"extra_body must not set {', '.join(twice)} a second time."
            raise InvalidRequestError(problem, field="extra_body")
        return self

    def wire_fields(self) -> dict[str, Any]:
        """The request as the fields of the wire, those of ``extra_body`` among them. Fields that
        were not chosen are left out."""
        return self.chosen_fields() | self.extra_body

    def chosen_fields(self) -> dict[str, Any]:
        """The same without those of ``extra_body``."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"extra_body"})

    def __hash__(self) -> int:
        # Without extra_body: a dictionary has no hash, and its order makes no difference.
        return hash(self.model_dump_json(exclude={"extra_body"}))


class _Generating(_Request):
    prompt: RequiredText
    aspect_ratio: AspectRatio | None = None
    resolution: Resolution | None = None
    translation: bool | None = None

    @model_validator(mode="after")
    def _no_4k_in_vain(self) -> Self:
        # The vendor's OpenAPI document: every other combination is accepted, charged, and fails.
        model = self.extra_body.get("model", self.model)
        works = isinstance(self, TextToVideo) and model == "veo31"
        if self.resolution == "4k" and model in KNOWN_MODELS and not works:
            problem = (
                "resolution '4k' works only with text2video and the model veo31: the service "
                "accepts and charges every other combination, and then fails it. "
                "extra_body={'resolution': '4k'} sends it all the same."
            )
            raise InvalidRequestError(problem, field="resolution")
        return self

    @property
    def title(self) -> str:
        """The prompt, as the short text by which a person recognises this request."""
        return self.prompt


def _listed(urls: object) -> object:
    if isinstance(urls, str):
        raise ValueError("must be a list of URLs, not one string")
    return tuple(urls) if isinstance(urls, Iterable) else urls


ImageURLs = Annotated[
    Sequence[WebAddress], BeforeValidator(_listed), Field(min_length=1, max_length=3)
]
"""One to three image URLs (the vendor's OpenAPI document)."""


class TextToVideo(_Generating):
    """A request for a video from a prompt.

    Args:
        prompt: the text that describes the video.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree. Of the known models only veo31 makes ``4k``.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["text2video"] = "text2video"


class ImageToVideo(_Generating):
    """A request for a video that starts from an image, or leads from a first image to a last one.

    Args:
        prompt: the text that describes the video.
        image_urls: the first frame, or the first and the last one, as http(s) URLs. Some models
            accept three.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree. No known model makes ``4k`` from images.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["image2video"] = "image2video"
    image_urls: ImageURLs


class IngredientsToVideo(_Generating):
    """A request for a video that contains the things in one to three images.

    Args:
        prompt: the text that describes the video.
        image_urls: one to three images of the things, as http(s) URLs.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree. No known model makes ``4k`` from images.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["ingredients2video"] = "ingredients2video"
    image_urls: ImageURLs


class Get1080p(_Request):
    """A request for the 1080p version of a finished video.

    Args:
        video_id: the ``id`` of a `Video` (an entry of ``Generation.data``), not a task id.
        model: the name of the model that made the video.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["get_1080p"] = "get_1080p"
    video_id: RequiredText

    @property
    def title(self) -> str:
        """The id of the video, as the short text by which a person recognises this request."""
        return self.video_id


VideoRequest = Annotated[
    TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p, Field(discriminator="action")
]
"""Any request that starts a generation; its ``action`` says which one it is."""
