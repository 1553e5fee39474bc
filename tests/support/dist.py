"""What the packages hold that users install: ``python -m tests.support.dist FOLDER`` checks."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

TOP_OF_SDIST = {
    ".gitignore",  # hatchling always adds it
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "PKG-INFO",
    "README.md",
    "benchmarks",
    "pyproject.toml",
    "tests",
    "veo_async",
}


def complaints_about_wheel(path: Path) -> list[str]:
    """Say what is wrong with a wheel: it holds all of ``veo_async`` and nothing else."""
    names = set(zipfile.ZipFile(path).namelist())
    tops = {name.split("/")[0] for name in names}
    unowned = {top for top in tops if top != "veo_async" and not top.endswith(".dist-info")}
    sources = {str(file) for file in Path("veo_async").rglob("*.*") if file.suffix != ".pyc"}
    return [f"{path.name} holds {name}" for name in sorted(unowned)] + [
        f"{path.name} lacks {name}" for name in sorted(sources - names)
    ]


def complaints_about_sdist(path: Path) -> list[str]:
    """Say what is wrong with a source distribution: it can be built and tested, no more."""
    with tarfile.open(path) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    return [f"{path.name} holds {name}" for name in sorted(tops - TOP_OF_SDIST)] + [
        f"{path.name} lacks {name}" for name in sorted(TOP_OF_SDIST - tops)
    ]


def complaints(folder: Path) -> list[str]:
    """Say what is wrong with the one wheel and the one source distribution of a folder."""
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return complaints_about_wheel(wheel) + complaints_about_sdist(sdist)


if __name__ == "__main__":
    sys.exit("\n".join(complaints(Path(sys.argv[1]))) or 0)
