"""No module keeps state: in one process a global is shared by every service."""

import ast

from tests.uniformity.source import PRODUCT, parsed, python_files

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = {"dict", "list", "set", "defaultdict", "OrderedDict", "Counter", "deque", "bytearray", "local"}
CHANGES = {"append", "add", "update", "pop", "setdefault", "extend", "clear", "remove", "insert", "popitem"}


def test_no_global_statement() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files(*PRODUCT)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Global)
    ]
    assert not found


def test_nothing_at_module_level_is_changed() -> None:
    found = []
    for path in python_files(*PRODUCT):
        tree = parsed(path)
        names = {name for node in tree.body for name in _mutable_names(node)}
        found += [
            f"{path}:{function.lineno} {function.name}"
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if (changed := _changed_name(node)) in names and changed not in _local_names(function)
        ]
    assert not found, "a constant of the module is changed"


def _mutable_names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        value = node.value
        made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in MAKERS
        if isinstance(value, MUTABLE) or made:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


def _changed_name(node: ast.AST) -> str | None:
    """The name whose content a statement changes: `name[x] = …`, `del name[x]`, `name.append(…)`."""
    target: ast.AST | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        target = node.func.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    return target.id if isinstance(target, ast.Name) else None


def _local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return arguments | stored
