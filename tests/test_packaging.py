"""What is shipped: pinned, complete, and nothing that runs by itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Below these, known holes: each floor is the first release without them.
FLOORS = {"starlette": (1, 3, 1), "uvicorn": (0, 54), "pynacl": (1, 6, 2), "jinja2": (3, 1, 6), "h11": (0, 16)}


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([0-9][^ ;\\\s]*)", (ROOT / lock).read_text(), re.M))


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[><=\[]", line)[0] for line in project["dependencies"]]


def test_there_are_few_dependencies_and_the_lock_has_each() -> None:
    assert len(dependencies()) <= 12
    assert set(dependencies()) <= set(pins("requirements.lock"))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes_and_no_place_to_fetch_from(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    for line in filter(None, (line.strip() for line in text.splitlines())):
        assert not line.startswith("-"), line
        assert "==" in line and "--hash=sha256:" in line, line[:60]
    assert "://" not in text


def test_both_locks_agree() -> None:
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")

    assert {name: dev.get(name) for name in runtime} == runtime


def test_no_pin_is_below_the_first_release_without_known_holes() -> None:
    found = pins("requirements.lock")
    for name, floor in FLOORS.items():
        assert tuple(int(part) for part in found[name].split(".")[: len(floor)]) >= floor, name
    assert "python-multipart" not in found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, check=True, capture_output=True, text=True)
    return {line for line in listed.stdout.splitlines() if (ROOT / line).is_file()}


def test_the_wheel_has_exactly_the_package_and_its_files(built: tuple[Path, Path]) -> None:
    names = {name for name in zipfile.ZipFile(built[1]).namelist() if ".dist-info/" not in name}
    beside = {f"gateway/{name}" for name in tracked("templates", "static", "schema.sql")}

    assert {name for name in names if not name.startswith("gateway/")} == set()
    assert beside | tracked("gateway") <= names
    assert not [name for name in names if name.endswith((".pth", ".db", ".key", ".env", ".pyc"))]


def test_the_wheel_carries_its_licence_and_one_command(built: tuple[Path, Path]) -> None:
    wheel = zipfile.ZipFile(built[1])
    names = wheel.namelist()

    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    assert wheel.read(entry).decode().split() == ["[console_scripts]", "gateway", "=", "gateway.__main__:main"]


def test_the_sdist_has_what_the_wheel_needs_and_no_tests_or_secrets(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}

    assert {"schema.sql", "gateway/__main__.py", "README.md", "LICENSE", "CHANGELOG.md"} <= names
    assert not [name for name in names if name.startswith(("tests/", "bench/", ".ci/", "docs/"))]


def test_every_target_of_the_makefile_that_people_type_is_there_and_explained() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    for target in ["help", "run", "test", "check", "lint", "fix", "cover", "dist", "bench", "clean"]:
        assert re.search(rf"^  make {target} +\w", listed, re.M), target


def test_no_file_names_a_machine_or_a_registry() -> None:
    words = ("/wo" + "rk/", "pythonhosted" + ".org", "pypi" + ".org")
    for name in sorted(tracked()):
        if name.startswith("static/vendor/") or name.endswith((".png", ".woff2")):
            continue
        text = (ROOT / name).read_text("utf-8")
        assert not [word for word in words if word in text], name
