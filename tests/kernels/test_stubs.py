"""The shipped type stubs name exactly what the compiled module has."""

from __future__ import annotations

import ast
from pathlib import Path

import edge_ser
from edge_ser import _kernels, kernels

STUBS = Path(edge_ser.__file__).parent / "_kernels.pyi"


def stub_names() -> dict[str, set[str]]:
    """Public names of the stubs, and of every class in them."""
    names: dict[str, set[str]] = {}
    for node in ast.parse(STUBS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names[node.name] = {
                item.name if isinstance(item, ast.FunctionDef) else ast.unparse(item.target)
                for item in node.body
                if isinstance(item, (ast.FunctionDef, ast.AnnAssign))
            }
        elif isinstance(node, ast.FunctionDef):
            names[node.name] = set()
    return names


def test_stubs_and_module_have_the_same_names():
    stubs = stub_names()
    module = {name for name in dir(_kernels) if not name.startswith("_")}
    assert set(stubs) == module
    for name in module:
        value = getattr(_kernels, name)
        if isinstance(value, type):
            public = {member for member in dir(value) if not member.startswith("_")}
            assert {member for member in stubs[name] if not member.startswith("_")} == public


def test_signatures_are_typed():
    text = STUBS.read_text(encoding="utf-8")
    assert "*args" not in text
    assert "arg0" not in text


def test_everything_public_is_exported_and_documented():
    for name in kernels.__all__:
        assert getattr(kernels, name).__doc__
