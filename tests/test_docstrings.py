"""An editor shows a docstring alone, so each one must be complete: there is no other place to look.

A class that users make describes its arguments in its docstring. A value that users receive
describes its attributes, in its own docstring or in that of a base.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pytest

from tests.support.doors import DOORS
from veo_async import errors

PRIVATE_CONSTRUCTORS = {"Batch", "Task", "Tasks"}
RECEIVED = {
    "Charge",
    "Cost",
    "DeadlockError",
    "Delivery",
    "Generation",
    "Outcome",
    "Plan",
    "Preview",
    "TaskRecord",
    "Unsettled",
    "Video",
}

ASKS = {"APIError", "ClientClosedError", "ConnectionFailedError", "RateLimitError"}
SUBMITS = ASKS | {"InvalidRequestError", "SubmissionUncertainError", "WaitTimeoutError"}
WAITS = {
    "APIError",
    "ClientClosedError",
    "GenerationFailedError",
    "InvalidRequestError",
    "PollingError",
    "TaskNotFoundError",
    "WaitTimeoutError",
}
CAN_RAISE = {
    "VeoClient": {"InvalidRequestError", "NoTokenError"},
    "VeoClient.text2video": SUBMITS | WAITS,
    "VeoClient.image2video": SUBMITS | WAITS,
    "VeoClient.ingredients2video": SUBMITS | WAITS,
    "VeoClient.get_1080p": SUBMITS | WAITS,
    "VeoClient.submit": SUBMITS,
    "VeoClient.wait": WAITS,
    "VeoClient.batch": {"InvalidRequestError", "JournalError"},
    "VeoClient.generate_many": {"InvalidRequestError"},
    "VeoClient.download": {"ClientClosedError", "DownloadError", "InvalidRequestError"},
    "Task.result": WAITS,
    "Task.refresh": ASKS | {"InvalidRequestError", "TaskNotFoundError"},
    "Tasks.retrieve": ASKS | {"InvalidRequestError", "TaskNotFoundError"},
    "Tasks.retrieve_many": ASKS | {"InvalidRequestError"},
    "Tasks.list": ASKS | {"InvalidRequestError"},
    "Batch.preview": {"InvalidRequestError", "JournalError"},
}
WITH_EXAMPLE = (
    "Task",
    "VeoClient",
    "VeoClient.batch",
    "VeoClient.download",
    "VeoClient.generate_many",
    "VeoClient.submit",
    "VeoClient.wait",
)


class Thing(NamedTuple):
    """A public class, function, method or property."""

    name: str
    value: Any

    @property
    def doc(self) -> str:
        """Its own docstring; one that a dataclass made of its fields does not count."""
        doc = vars(self.value).get("__doc__") if inspect.isclass(self.value) else self.value.__doc__
        return "" if not doc or doc.startswith(f"{self.name}(") else inspect.cleandoc(doc)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its parameters, those for keywords of any name apart."""
        if isinstance(self.value, property):
            return {}
        if inspect.isclass(self.value) and not inspect.isfunction(self.value.__init__):
            return {}  # Python's own, as that of a list
        parameters = inspect.signature(self.value).parameters
        return {
            name: parameter
            for name, parameter in parameters.items()
            if name not in ("self", "cls") and parameter.kind is not parameter.VAR_KEYWORD
        }

    @property
    def choices(self) -> set[str]:
        """Those of its parameters that can have more than one value."""
        return {
            name
            for name, parameter in self.parameters.items()
            if get_origin(parameter.annotation) is not Literal
            or len(get_args(parameter.annotation)) > 1
        }


def is_ours(value: object) -> bool:
    """Whether a member or a class was written here and not in a library."""
    function = value.fget if isinstance(value, property) else value
    return str(getattr(function, "__module__", "")).startswith("veo_async")


def things(door: str) -> Iterator[Thing]:
    """The public things of a module, each in the module that it names as its own."""
    module = importlib.import_module(door)
    for name in module.__all__:
        value = getattr(module, name)
        if getattr(value, "__module__", None) != door:
            continue
        if inspect.isfunction(value):
            yield Thing(name, value)
        if inspect.isclass(value):
            yield Thing(name, value)
            yield from members(name, value)


def members(name: str, cls: type) -> Iterator[Thing]:
    """The public methods and properties of a class."""
    for member in inspect.classify_class_attrs(cls):
        value = member.object
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        wanted = inspect.isfunction(value) or isinstance(value, property)
        if wanted and is_ours(value) and not member.name.startswith("_"):
            yield Thing(f"{name}.{member.name}", value)


def section(doc: str, title: str) -> dict[str, str]:
    """The texts of a section of a docstring, by the names that they describe."""
    block = re.search(rf"^{title}:\n((?:    .*\n?|\n)*)", doc, re.MULTILINE)
    entry = re.compile(r"^    (?=\S)(.*\n?(?:^     .*\n?)*)", re.MULTILINE)
    entries: dict[str, str] = {}
    for found in entry.finditer(block[1] if block else ""):
        names, _, text = found[1].partition(":")
        entries |= dict.fromkeys(re.split(r",\s*", names.replace("*", "")), text.strip())
    return entries


def described(thing: Thing) -> set[str]:
    """The names that are described for a thing."""
    if not inspect.isclass(thing.value):
        return set(section(thing.doc, "Args"))
    is_received = issubclass(thing.value, errors.VeoError) or thing.name in RECEIVED
    if not is_received and thing.value.__module__ != "veo_async.events":
        return set(section(thing.doc, "Args"))
    docs = [inspect.cleandoc(base.__doc__ or "") for base in thing.value.__mro__ if is_ours(base)]
    return {name for doc in docs for name in section(doc, "Attributes")}


every_door = pytest.mark.parametrize("door", DOORS)


@every_door
def test_every_public_name_is_explained(door: str) -> None:
    """Each name that users can import has a docstring, and so have its methods and properties."""
    assert importlib.import_module(door).__doc__
    assert [thing.name for thing in things(door) if not thing.doc] == []


@pytest.mark.parametrize("door", ["veo_async.events", "veo_async.models"])
def test_aliases_and_constants_are_explained(door: str) -> None:
    """They have no docstring of their own, so a text follows each of them in its source."""
    module = importlib.import_module(door)
    home = Path(str(module.__file__))
    files = sorted(home.parent.glob("*.py")) if home.name == "__init__.py" else [home]
    body = [node for file in files for node in ast.parse(file.read_text("utf-8")).body]
    names = {
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    explained = {
        ast.unparse(node.targets[0])
        for node, following in pairwise(body)
        if isinstance(node, ast.Assign) and isinstance(following, ast.Expr)
    }

    assert names & set(module.__all__) - explained == set()


@every_door
def test_every_parameter_is_described(door: str) -> None:
    """The description is in the docstring itself: an editor shows no other one beside it."""
    missing = {
        thing.name: sorted(thing.choices - described(thing))
        for thing in things(door)
        if thing.name not in PRIVATE_CONSTRUCTORS
    }

    assert {name: names for name, names in missing.items() if names} == {}


@every_door
def test_no_parameter_is_described_that_does_not_exist(door: str) -> None:
    """A description that outlived its parameter misleads."""
    stale = {
        thing.name: sorted(section(thing.doc, "Args").keys() - thing.parameters.keys())
        for thing in things(door)
        if section(thing.doc, "Args")
    }

    assert {name: names for name, names in stale.items() if names} == {}


@every_door
def test_no_docstring_sends_the_reader_elsewhere_for_its_arguments(door: str) -> None:
    """No text says that the other arguments are those of another method."""
    elsewhere = re.compile(r"arguments?\b.* are (those|the same)", re.DOTALL)
    texts = {thing.name: section(thing.doc, "Args").values() for thing in things(door)}

    assert [thing.name for thing in things(door) if elsewhere.search(thing.doc)] == []
    assert [name for name, said in texts.items() if any(re.match("as for", t) for t in said)] == []


@every_door
def test_times_have_a_unit(door: str) -> None:
    """All times are seconds, and each ``timeout`` says so."""
    texts = {thing.name: section(thing.doc, "Args").get("timeout") for thing in things(door)}

    assert [name for name, text in texts.items() if text and "second" not in text] == []


@every_door
def test_errors_that_are_named_exist(door: str) -> None:
    """``Raises:`` names errors of this library, Python's own, and others with their module."""
    known = {*vars(errors), *vars(builtins)}
    unknown = {
        thing.name: [
            name for name in section(thing.doc, "Raises") if "." not in name and name not in known
        ]
        for thing in things(door)
    }

    assert {name: names for name, names in unknown.items() if names} == {}


@every_door
def test_errors_that_are_raised_are_named(door: str) -> None:
    """An error of ours in a function's own body is in its ``Raises:``; for the rest see below."""
    silent = {}
    for thing in things(door):
        function = thing.value.fget if isinstance(thing.value, property) else thing.value
        if not inspect.isfunction(function):
            continue
        source = inspect.getsource(function)
        raised = {name for name in re.findall(r"raise (\w+)\(", source) if name in errors.__all__}
        silent[thing.name] = sorted(raised - section(thing.doc, "Raises").keys())

    assert {name: names for name, names in silent.items() if names} == {}


@pytest.mark.parametrize("name", CAN_RAISE)
def test_errors_that_can_come_are_named(name: str) -> None:
    """A caller can write the ``except`` clauses from the docstring alone."""
    (thing,) = (thing for thing in things("veo_async") if thing.name == name)

    assert CAN_RAISE[name] <= section(thing.doc, "Raises").keys()


def test_every_coroutine_of_the_client_is_in_the_table() -> None:
    """A new one must say which errors it can raise; closing raises none."""
    coroutines = {
        thing.name
        for thing in things("veo_async")
        if inspect.iscoroutinefunction(thing.value) or inspect.isasyncgenfunction(thing.value)
    }

    assert coroutines - {"VeoClient.aclose"} <= CAN_RAISE.keys()


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_an_example_shows_the_use(name: str) -> None:
    """A newcomer reads these first, so they have code that can be copied, and it compiles."""
    (thing,) = (thing for thing in things("veo_async") if thing.name == name)
    block = re.search(r"^::\n\n((?:    .*\n?|\n)*)", thing.doc, re.MULTILINE)

    assert block is not None
    code = inspect.cleandoc(f"\n{block[1]}")
    compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
