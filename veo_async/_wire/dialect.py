"""What a deployment accepts where the vendor's documents disagree."""

from __future__ import annotations

from collections.abc import Mapping

OTHER_SPELLING: Mapping[str, str] = {"get_1080p": "get1080p", "get1080p": "get_1080p"}
"""The API guide and the vendor's OpenAPI document spell this action differently."""
