from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.examples.spans import Spans
from tests.support.service import client_of, emulator, inline
from veo_async import TextToVideo
from veo_async._base.runtime import Runtime
from veo_async.emulator import Answer, Fault, Seconds, VideoFormat


def recorder() -> tuple[Spans, InMemorySpanExporter]:
    """Spans that are kept in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(provider.get_tracer("test")), exporter


def length(span: ReadableSpan) -> float:
    """Seconds."""
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


@pytest.mark.asyncio
async def test_items_as_spans(tmp_path: Path) -> None:
    """Each item of a batch is a span with its steps below it, each as long as it took."""
    spans, exporter = recorder()
    service = emulator(
        pace=Seconds(mean=100.0, sigma=0.0),
        video=VideoFormat(seconds=0.2, fps=5, short_side=64),
        faults=[Fault(effect=Answer(code="too_many_requests"), nth=1)],
    )
    requests = [("mug", TextToVideo(prompt="a mug"))]

    client = client_of(service, on_event=spans, runtime=Runtime(run_sync=inline))
    async with service, client as veo, veo.batch(requests, download_to=tmp_path) as outcomes:
        _ = [outcome async for outcome in outcomes]

    *steps, item = exporter.get_finished_spans()
    assert [span.name for span in steps] == [
        "veo refused",
        "veo accepted",
        "veo finished",
        "veo downloaded",
    ]
    assert item.name == "veo item"
    assert {span.parent and span.parent.span_id for span in steps} == {item.context.span_id}
    assert [span.status.status_code for span in steps[:2]] == [StatusCode.ERROR, StatusCode.UNSET]
    assert 100.0 <= length(steps[2]) < 130.0 < length(item) + 30.0
    assert item.attributes == {
        "veo.key": "mug",
        "veo.action": "text2video",
        "veo.model": "veo3-fast",
        "veo.task_id": service.bill[0].task_id,
        "veo.trace_id": service.bill[0].trace_id,
    }
    assert [event.name for event in item.events] == ["throttled"]


@pytest.mark.asyncio
async def test_single_calls_as_spans() -> None:
    """Outside of batches each step is a span of its own, without a parent; one whose beginning
    nobody knows is none."""
    spans, exporter = recorder()
    service = emulator(pace=Seconds(mean=10.0))

    async with (
        service,
        client_of(
            service,
            on_event=spans,
        ) as veo,
    ):
        await veo.text2video("a mug")
    async with service, client_of(service, on_event=spans) as veo:
        await veo.wait(service.bill[0].task_id)

    names = [(span.name, span.parent) for span in exporter.get_finished_spans()]
    assert names == [("veo accepted", None), ("veo finished", None)]
