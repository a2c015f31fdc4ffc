"""The wheel, the lock and the tracked files: what a stranger gets, and nothing of this machine in it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROGRAM_FOLDERS = ("train", "deploy", "benchmarks")
LOCK = ROOT / "requirements.lock"
# Assembled here, so that this file does not hold what it forbids.
REGISTRY_HOSTS = tuple(".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("pytorch", "org/whl"), ("registry", "npmjs"), ("conda", "anaconda"),
    ("deb", "debian"), ("crates", "io"), ("proxy", "golang")))
MACHINE_PATHS = re.compile(r"(?<![\w.~$}])/(work|root|tmp|home|farm)/\w")


def run(*command: str, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL).stdout


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked_files() -> list[Path]:
    """Files git tracks or would track, so that the test sees a change before it is committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def locked() -> list[tuple[Requirement, list[str]]]:
    """Each requirement of the lock with its hashes."""
    entries = []
    for entry in re.split(r"\n(?=\S)", LOCK.read_text().rstrip()):
        lines = [line.rstrip(" \\").strip() for line in entry.splitlines()]
        hashes = [line for line in lines[1:] if line.startswith("--hash=")]
        entries.append((Requirement(lines[0]), hashes))
    return entries


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    # hatchling itself, without build isolation: needs no network.
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out))
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mksgn", "lava_models"}
    assert len(tops) == 3
    sources = {str(path.relative_to(ROOT)) for top in ("mksgn", "lava_models") for path in (ROOT / top).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    assert not [name for name in names if "__pycache__" in name or name.endswith((".so", ".pyc"))]


def test_the_wheel_carries_licence_and_python_version(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: BSD-3-Clause" in metadata
    (python,) = re.findall(r"^Requires-Python: (.*)$", metadata, flags=re.M)
    assert set(python.split(",")) == {">=3.10", "<3.15"}


@pytest.mark.parametrize("folder", PROGRAM_FOLDERS)
def test_a_folder_of_programs_is_not_installed(folder: str, tmp_path: Path) -> None:
    assert not (ROOT / folder / "__init__.py").exists()
    # From elsewhere, with the environment's site-packages: what `import train` finds must not be ours.
    probe = ("import importlib.util as u, sys\n"
             f"spec = u.find_spec({folder!r})\n"
             "print(spec and (spec.origin or list(spec.submodule_search_locations)))")
    found = run(sys.executable, "-c", probe, cwd=tmp_path).strip()
    assert str(ROOT / folder) not in found, f"import {folder} finds {found}"


def test_the_installed_packages_are_this_checkout(tmp_path: Path) -> None:
    probe = "import mksgn, lava_models; print(mksgn.__file__); print(lava_models.__file__)"
    found = run(sys.executable, "-c", probe, cwd=tmp_path).split()
    if "site-packages" in found[0]:
        pytest.skip("installed from a wheel")
    assert found == [str(ROOT / "mksgn" / "__init__.py"), str(ROOT / "lava_models" / "__init__.py")]


def test_no_program_shadows_a_library_module(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: extra torch")
    # `python train/x.py` puts train/ first on sys.path, so train/numpy.py would replace numpy.
    programs = {path.stem for folder in PROGRAM_FOLDERS for path in (ROOT / folder).rglob("*.py")}
    folders = {path.name for folder in PROGRAM_FOLDERS for path in (ROOT / folder).glob("*/") if any(path.glob("*.py"))}
    probe = ("import pkgutil, sys\n"
             "print('\\n'.join({m.name for m in pkgutil.iter_modules()} | set(sys.stdlib_module_names)))")
    libraries = set(run(sys.executable, "-c", probe, cwd=tmp_path).split())
    assert {"numpy", "torch", "json"} <= libraries
    # A part of the library may share a program's name: mksgn.energy is never looked for as energy.
    assert not (programs | folders) & (libraries | {"mksgn", "lava_models"})


def test_every_locked_package_has_hashes_and_no_address() -> None:
    entries = locked()
    assert len(entries) > 50
    for requirement, hashes in entries:
        assert hashes, f"{requirement.name} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", item) for item in hashes), requirement.name
        assert requirement.url is None, f"{requirement.name} is pinned to an address"
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), f"{requirement} is not one version"
    names = [canonicalize_name(requirement.name) for requirement, _ in entries]
    assert len(names) == len(set(names)), "a package is locked twice"
    assert "://" not in LOCK.read_text()
    assert not (ROOT / "uv.lock").exists()


def test_the_lock_satisfies_the_project() -> None:
    described = project()
    versions = {canonicalize_name(r.name): Version(str(r.specifier)[2:]) for r, _ in locked()}
    extras = described["project"]["optional-dependencies"]
    wanted = [*described["project"]["dependencies"], *described["build-system"]["requires"],
              *(text for extra in ("torch", "lava", "test", "dev") for text in extras[extra])]
    for requirement in map(Requirement, wanted):
        elsewhere = requirement.marker and not requirement.marker.evaluate({"python_version": "3.10"})
        if requirement.name == "mksgn" or elsewhere:
            continue
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is locked at {version}"
    assert described["tool"]["uv"]["managed"] is False


def test_the_bootstrap_uv_is_pinned_with_hashes() -> None:
    text = (ROOT / ".ci" / "uv.txt").read_text()
    (requirement,) = re.findall(r"^[a-z].*$", text, flags=re.M)
    assert re.fullmatch(r"uv==[\d.]+ \\", requirement)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) > 5


def test_tracked_files_name_no_registry_host_and_no_machine_path() -> None:
    found = []
    for path in tracked_files():
        raw = path.read_bytes()
        name, binary = path.relative_to(ROOT), b"\0" in raw[:8192]
        text = raw.decode("latin-1" if binary else "utf-8")
        found += [f"{name}: {host}" for host in REGISTRY_HOSTS if host in text]
        if not binary:
            found += [f"{name}: {match.group()}" for match in MACHINE_PATHS.finditer(text)]
    assert not found, "\n".join(found)


def test_the_python_version_file_agrees_with_the_project() -> None:
    pinned = (ROOT / ".python-version").read_text().strip()
    assert pinned == "3.10"
    assert Requirement(f"python{project()['project']['requires-python']}").specifier.contains(f"{pinned}.0")
