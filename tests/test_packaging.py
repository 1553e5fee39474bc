"""The package that users install is complete, has nothing beside it, and works with three
dependencies."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pickle
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

import veo_async
from tests.support.dist import complaints
from tests.support.doors import DOORS
from veo_async import models

ROOT = Path(__file__).parent.parent
ALONE = """
import importlib.util, sys, veo_async
assert all(hasattr(veo_async, name) for name in veo_async.__all__)
from veo_async.gallery import write_gallery
from veo_async.testing import VirtualEventLoop
try:
    from veo_async.testing import Emulator
except veo_async.MissingExtraError as error:
    assert error.extra == "emulator"
else:
    sys.exit("the emulator came without its extra")
assert not {"av", "aiohttp", "rich", "starlette", "typer", "uvicorn"} & set(sys.modules)
print(*(name for name in ("av", "aiohttp", "rich", "starlette", "typer", "uvicorn")
        if importlib.util.find_spec(name)))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program without this environment's own packages, and return what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "build", "--outdir", folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def public(module: ModuleType) -> set[str]:
    """Return the public names of a module, its submodules apart."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }


@pytest.mark.slow
def test_the_packages_hold_what_they_should(dist: Path) -> None:
    """The wheel is ``veo_async`` and no more; the source distribution can be tested."""
    assert complaints(dist) == []


@pytest.mark.slow
def test_the_wheel_works_with_its_three_dependencies_alone(dist: Path, tmp_path: Path) -> None:
    """Without extras the package imports, and a feature that needs one says which to install."""
    venv.create(tmp_path / "venv", with_pip=False)
    bin_ = tmp_path / "venv" / "bin"
    (wheel,) = dist.glob("*.whl")
    pip = run(sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "-q", wheel)
    assert pip.returncode == 0, pip.stderr

    alone = run(bin_ / "python", "-c", ALONE, cwd=tmp_path)
    command = run(bin_ / "veo-async", "--help", cwd=tmp_path)

    assert (alone.returncode, alone.stdout, alone.stderr) == (0, "\n", "")
    assert command.returncode != 0
    assert 'pip install "veo-async[cli]"' in command.stderr
    assert "Traceback" not in command.stderr


def test_all_names_are_public_and_all_public_names_are_named() -> None:
    """``__all__`` is sorted and equals the public names of the root once each of them was read:
    nothing leaks, and nothing is forgotten."""
    assert all(hasattr(veo_async, name) for name in veo_async.__all__)
    assert veo_async.__all__ == sorted(veo_async.__all__)
    assert set(veo_async.__all__) == public(veo_async)


def test_the_root_has_no_other_names() -> None:
    """A private name is no attribute, also if it is asked for; ``dir`` shows the public ones."""
    with pytest.raises(AttributeError, match="has no attribute 'httpx'"):
        veo_async.httpx  # noqa: B018 - asking is the test
    assert set(veo_async.__all__) <= set(dir(veo_async))


def test_the_root_is_small() -> None:
    """A newcomer can read its names at once; the rest is in a module of its subject."""
    assert len(veo_async.__all__) <= 40


def test_type_checkers_see_the_same_names() -> None:
    """The imports for type checkers and the table for the interpreter are equal."""
    tree = ast.parse(Path(veo_async.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]

    seen = {
        name: node.module for node in imports for name in (alias.asname for alias in node.names)
    }

    assert len(imports) == len(block.body)
    assert seen == veo_async._HOMES


def test_types_of_arguments_and_results_are_public() -> None:
    """An annotation can name everything that the client takes and returns."""
    for name in ("Batch", "Outcome", "Task", "TaskRecord", "Tasks", "Unsettled", "VideoRequest"):
        assert name in veo_async.__all__
    for name in ("Action", "AspectRatio", "OutcomeState", "Outcomes", "Preview", "Resolution"):
        assert name in models.__all__


@pytest.mark.parametrize("door", DOORS)
def test_public_classes_name_a_public_module(door: str) -> None:
    """A traceback, a log line and a pickle name a class by a module that stays where it is."""
    module = importlib.import_module(door)
    classes = [
        value
        for value in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(value)
    ]

    for cls in classes:
        assert cls.__module__ in DOORS
        assert cls.__qualname__ in importlib.import_module(cls.__module__).__all__
        assert pickle.loads(pickle.dumps(cls)) is cls


def test_a_class_has_its_public_module_from_the_beginning() -> None:
    """The module is the public one also if nobody imported the class from the root."""
    script = """
from veo_async._client import VeoClient
veo = VeoClient("any-token")
print(type(veo).__module__, type(veo.tasks).__module__, type(veo.batch([])).__module__)
"""
    ran = run(sys.executable, "-c", script)

    assert (ran.stdout.split(), ran.stderr) == (["veo_async"] * 3, "")
