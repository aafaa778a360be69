"""What travels: the wheel holds all the page and the demo models need, imports stay light, the pins are whole."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from neuronscope.app import assets_folder
from neuronscope.models.catalogue import CATALOGUE, demo_folder

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIMIT = 25_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from the checkout without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "."]
    subprocess.run([*command, "--wheel-dir", folder], cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("neuronscope-*.whl")
    assert path.stat().st_size < LIMIT
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_every_module_and_asset(wheel):
    names = set(wheel.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "neuronscope").rglob("*.py")}
    assets = {f"neuronscope/assets/{path.name}" for path in (ROOT / "assets").iterdir()}
    assert modules <= names
    assert assets <= names
    assert "neuronscope/assets/style.css" in names


def test_the_wheel_holds_the_demo_models_and_their_checkpoints(wheel):
    for entry in CATALOGUE:
        if entry.demo:
            folder = demo_folder(entry.name)
            files = {str(path.relative_to(ROOT)) for path in folder.rglob("*") if path.is_file()}
            assert any(name.endswith(".safetensors") for name in files)
            assert files <= set(wheel.namelist())


def test_the_wheel_holds_nothing_but_the_package_and_its_licence(wheel):
    strange = [name for name in wheel.namelist() if not re.match(r"neuronscope/|neuronscope-[^/]+\.dist-info/", name)]
    assert strange == []
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_an_installed_wheel_finds_its_own_assets(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = "from neuronscope.app import assets_folder; print(assets_folder())"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == tmp_path / "neuronscope" / "assets"


def test_a_checkout_uses_its_own_assets():
    assert assets_folder() == ROOT / "assets"


def test_importing_neuronscope_brings_in_nothing_heavy():
    code = """
import sys, neuronscope as ns
ns.Neuron(5, 131), ns.Site.NEURONS, ns.NeuronScopeError, dir(ns)
print(sorted({"torch", "transformers", "dash", "plotly", "pandas", "IPython", "scipy"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_every_pin_is_one_exact_release_and_nothing_else():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.]+", line), line
    assert str(pins()["torch"].specifier) == "==2.13.0"


def wanted(requirements, extras=("",)):
    """The requirements that hold on this machine, with one of these extras."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def test_pins_cover_everything_that_is_installed_and_agree_with_the_ranges():
    pinned = pins()
    direct = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    open_ends, seen = list(wanted(direct)), set()
    while open_ends:
        requirement = open_ends.pop()
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} has no pin"
        [pin] = pinned[name].specifier
        assert requirement.specifier.contains(pin.version, prereleases=True), f"{requirement} is not {pin}"
        if (name, *requirement.extras) not in seen:
            seen.add((name, *requirement.extras))
            needs = importlib.metadata.requires(name) or []
            open_ends += wanted(needs, ("", *requirement.extras))


def test_the_command_is_the_package_in_another_word():
    assert PROJECT["scripts"] == {"neuronscope": "neuronscope.cli:main"}
    [point] = importlib.metadata.entry_points(group="console_scripts", name="neuronscope")
    assert callable(point.load())


def test_versions_agree():
    from neuronscope import __version__

    assert PROJECT["version"] == __version__
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_an_old_python_is_told_what_to_do(tmp_path):
    old = tmp_path / "old-python"
    old.write_text(f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 10, 4)\nexec(sys.argv[2])\n")
    old.chmod(0o755)
    command = ["make", "serve", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "NeuronScope needs Python 3.11 or newer" in said.stderr
    assert "is 3.10" in said.stderr
    assert not (tmp_path / "venv").exists()
