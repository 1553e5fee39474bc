"""The promises of the tests' own configuration: CI skips nothing, no environment leaks in."""

from __future__ import annotations

import os

import pytest

CONFTEST = """
from tests.conftest import (
    pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport
)
"""
SKIPS = """
import pytest

def test_passes(): pass
def test_skips(): pytest.skip("no reason")
@pytest.mark.skip
def test_is_skipped(): pass
@pytest.mark.xfail
def test_is_expected_to_fail(): assert False
"""


@pytest.mark.parametrize(
    "options, outcomes",
    [
        ([], {"passed": 1, "skipped": 3, "xfailed": 1}),
        (["--no-skips"], {"passed": 1, "failed": 1, "errors": 2, "xfailed": 1}),
    ],
)
def test_no_skips_turns_every_kind_of_skip_into_a_failure(
    pytester: pytest.Pytester, options: list[str], outcomes: dict[str, int]
) -> None:
    """With ``--no-skips`` a skip fails, by call, by mark or of a module; an xfail passes."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_one=SKIPS, test_two='import pytest; pytest.importorskip("no_such")')

    result = pytester.runpytest_inprocess(
        "-p", "no:asyncio", "--continue-on-collection-errors", *options
    )

    result.assert_outcomes(**outcomes)


def test_no_test_sees_the_environment_of_its_machine(pytester: pytest.Pytester) -> None:
    """The token, the base URL and the proxies are hidden, in either spelling, and come back."""
    pytester.makeconftest("from tests.conftest import no_env")
    pytester.makepyfile(
        """
        import os

        def test_env():
            assert not {"ACEDATACLOUD_API_TOKEN", "https_proxy", "NO_PROXY"} & set(os.environ)
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ACEDATACLOUD_API_TOKEN", "https_proxy", "NO_PROXY"):
            patch.setenv(name, "leaked")

        result = pytester.runpytest_inprocess("-p", "no:asyncio")

        assert os.environ["https_proxy"] == "leaked"
    result.assert_outcomes(passed=1)
