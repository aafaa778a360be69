"""The rules of the house, held by a test: floors, docstrings, lists in which nothing was forgotten, no loose ends."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from neuronscope import errors, figures
from neuronscope.app.views import VIEWS
from neuronscope.models.families import FAMILIES, Family

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "neuronscope"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_rooms_import_only_from_the_floors_below():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    kept = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert kept.returncode == 0, kept.stdout


def test_every_room_stands_on_a_floor():
    [contract] = [one for one in CONTRACTS if one["type"] == "layers"]
    floors = {room for layer in contract["layers"] for room in layer.split(" | ")}
    rooms = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    assert rooms - {"__init__", "__pycache__"} == floors


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_everything_public_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    silent = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            silent += [] if ast.get_docstring(node) else [node.name]
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name[0] != "_"]
            silent += [f"{node.name}.{item.name}" for item in methods if not _explained(item)]
    functions = [item for item in tree.body if isinstance(item, ast.FunctionDef) and item.name[0] != "_"]
    silent += [item.name for item in functions if not _explained(item)]
    assert silent == []


def _explained(function):
    overloaded = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in function.decorator_list)
    return overloaded or ast.get_docstring(function) is not None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_field_of_a_result_is_explained(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.dump(mark) for mark in node.decorator_list):
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and not node.name.startswith("_"):
                    said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    assert said, f"{node.name}.{field.target.id} has no docstring"


def test_lists_of_public_names_are_sorted_and_true():
    listed = 0
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]:
                names = ast.literal_eval(node.value)
                module = importlib.import_module(name_of(path))
                assert all(hasattr(module, name) for name in names), path
                assert len(set(names)) == len(names), path
                listed += 1
    assert listed >= 3
    front = importlib.import_module("neuronscope").__all__
    assert front == sorted(front)


def test_every_error_is_drawn_in_the_tree_under_its_parent():
    parents, drawn = {-1: "Exception"}, {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([│ ├└─]*)(\w+)(?: {2,}|$)", line):
            depth = len(found[1]) // 4
            parents[depth], drawn[found[2]] = found[2], parents[depth - 1]
    classes = inspect.getmembers(errors, inspect.isclass)
    written = {name: kind.__base__.__name__ for name, kind in classes if kind.__module__ == errors.__name__}
    assert drawn == written


def modules_in(folder):
    return {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}


def test_no_view_is_forgotten():
    assert {view.__name__.rpartition(".")[2] for view in VIEWS} == modules_in("app/views")
    assert len({view.NAME for view in VIEWS}) == len(VIEWS)


def test_no_family_is_forgotten():
    written = {
        value
        for name in modules_in("models/families")
        for value in vars(importlib.import_module(f"neuronscope.models.families.{name}")).values()
        if isinstance(value, Family)
    }
    assert set(FAMILIES) == written
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_no_figure_is_forgotten():
    assert set(figures.ALL) <= set(figures.__all__)
    assert all(callable(getattr(figures, name)) for name in figures.ALL)


def test_the_look_is_in_place():
    for name in ("style.css", "theme.js", "logo.svg"):
        assert (ROOT / "assets" / name).stat().st_size > 0


def texts():
    """Every text file of the checkout, hidden folders but `.ci` and what builds leave behind left out."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in {"build", "dist"} and (name[0] != "." or name == ".ci")]
        for path in (Path(folder, name) for name in names if name[0] != "."):
            if path.suffix in {"", ".py", ".md", ".toml", ".txt", ".cff", ".css", ".js", ".svg", ".ipynb", ".json"}:
                yield path, path.read_text(errors="replace")


@pytest.mark.parametrize(
    "loose_end",
    [
        "https?://" + "cdn",
        "(unpkg|jsdelivr|googleapis)" + r"\.com|jsdelivr" + r"\.net",
        r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b",
        r"(?<![\w.])/(home|root|Users|work)" + r"/\w",
        "Co-authored" + "-by",
    ],
)
def test_no_loose_ends(loose_end):
    read = list(texts())
    assert len(read) > 50
    assert [str(path.relative_to(ROOT)) for path, text in read if re.search(loose_end, text)] == []


def test_notebooks_are_kept_without_what_they_printed():
    import nbformat

    for path in (ROOT / "examples").glob("*.ipynb"):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert cells
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells), path


def test_tests_mirror_the_package():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__", "assets"}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    tested |= {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert rooms <= tested
