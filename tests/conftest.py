"""How every test runs: on virtual time unless it says otherwise, and with a clean environment.

An asynchronous test is marked ``@pytest.mark.asyncio`` and gets a `VirtualEventLoop`, on which
hours pass in milliseconds. With ``@pytest.mark.real_loop`` beside it, it gets an ordinary event
loop: for tests of real sockets. A plain function that needs a loop of its own takes
``asyncio.Runner(loop_factory=VirtualEventLoop)``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator

import pytest

from veo_async.testing._virtual_loop import VirtualEventLoop


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that CI passes."""
    parser.addoption(
        "--no-skips", action="store_true", help="a skipped test is a failed one (for CI)"
    )


def pytest_configure() -> None:
    """Let SIGINT interrupt, also the processes of tests: a script ignores it in what it runs in the
    background, and they would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each asynchronous test its event loop; pytest-asyncio asks."""
    if item.get_closest_marker("real_loop"):
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualEventLoop}


@pytest.fixture(autouse=True)
def no_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the token, the base URL and the proxies of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("ACEDATACLOUD_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge a test that skips itself, or is skipped by a mark."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_a_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge a module that skips itself."""
    report = yield
    if report.skipped:
        _fail_a_skip(collector.config, report)
    return report


def _fail_a_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if config.getoption("no_skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which --no-skips forbids: {report.longreprtext}"
