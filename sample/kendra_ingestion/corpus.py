"""Make a real corpus of documents from the Python standard library's own documentation strings.

    python -m sample.kendra_ingestion.corpus FOLDER [--limit N] [--minimum N]

Every module, class, function and method with a documentation string becomes a pair: a JSON body and its
metadata. The sources are parsed, never imported, so it is safe and needs nothing but Python; the same Python
gives the same files.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

NOT_THE_LIBRARY = frozenset(
    {"__pycache__", "site-packages", "dist-packages", "lib-dynload", "test", "tests", "idle_test", "_bundled"}
)
MINIMUM = 5_000
MOST_LIST_ITEMS = 10  # strings in one attribute's list (Amazon Kendra developer guide, quotas)
LONGEST_NAME = 100  # characters of a file's name, far below any file system's limit

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Entry:
    """One documented thing: `name` is its dotted name within the module, "" for the module itself."""

    module: str
    name: str
    kind: str
    line: int
    signature: str
    parameters: tuple[str, ...]
    documentation: str

    @property
    def title(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


def entries(library: Path) -> Iterator[Entry]:
    """Every documented thing below a folder of Python sources, sorted by module, then from top to bottom."""
    for source in sorted(library.rglob("*.py"), key=lambda path: path.relative_to(library).parts):
        parts = source.relative_to(library).with_suffix("").parts
        if NOT_THE_LIBRARY.isdisjoint(parts):
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield from entries_of_module(module, source.read_bytes())


def entries_of_module(module: str, source: bytes) -> Iterator[Entry]:
    """The documented things of one module; none where this Python cannot parse it (a template, say)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    text = ast.get_docstring(tree)
    if text:
        yield Entry(module, "", "module", 1, f"import {module}", (), text)
    yield from _entries_inside(tree, module, (), "function")


def _entries_inside(node: ast.AST, module: str, outer: tuple[str, ...], callable_kind: str) -> Iterator[Entry]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Definition):
            yield from _entries_inside(child, module, outer, callable_kind)
            continue
        names = (*outer, child.name)
        is_class = isinstance(child, ast.ClassDef)
        text = ast.get_docstring(child)
        if text:
            yield Entry(
                module=module,
                name=".".join(names),
                kind="class" if is_class else callable_kind,
                line=child.lineno,
                signature=_signature(child),
                parameters=_parameters(child),
                documentation=text,
            )
        yield from _entries_inside(child, module, names, "method" if is_class else "function")


def _signature(definition: Definition) -> str:
    if isinstance(definition, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in definition.bases)
        return f"class {definition.name}({bases})" if bases else f"class {definition.name}"
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    return f"{word} {definition.name}({ast.unparse(definition.args)})"


def _parameters(definition: Definition) -> tuple[str, ...]:
    if isinstance(definition, ast.ClassDef):
        return ()
    given = definition.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return tuple(name for name in names if name not in ("self", "cls"))


def body(entry: Entry) -> dict[str, Any]:
    return {"title": entry.title, "signature": entry.signature, "documentation": entry.documentation}


def metadata(entry: Entry, document_id: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"module": entry.module, "kind": entry.kind, "line": entry.line}
    if entry.parameters:
        attributes["parameters"] = list(entry.parameters[:MOST_LIST_ITEMS])
    return {
        "DocumentId": document_id,
        "Title": entry.title,
        "ContentType": "JSON",
        "Attributes": attributes,
        "AccessControlList": [{"Name": "everyone", "Type": "GROUP", "Access": "ALLOW"}],
    }


def write(found: Iterator[Entry], folder: Path) -> int:
    """Write the pairs, a folder a module, and return how many.

    A name that is defined twice (under an `if`, or a property's setter) has its line in the id of the later
    ones. Files are numbered, because names that differ in case alone would meet on some file systems.
    """
    ids: set[str] = set()
    numbers: Counter[str] = Counter()
    for entry in found:
        numbers[entry.module] += 1
        document_id = f"python/{entry.title}"
        if document_id in ids:
            document_id = f"{document_id}:{entry.line}"
        ids.add(document_id)
        name = f"{numbers[entry.module]:04}-{(entry.name or 'module')[:LONGEST_NAME]}.json"
        place = folder.joinpath(*entry.module.split("."))
        place.mkdir(parents=True, exist_ok=True)
        _write_json(place / name, body(entry))
        _write_json(place / f"{name}.metadata.json", metadata(entry, document_id))
    return len(ids)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    """Write UTF-8; half a surrogate pair, which a documentation string may quote, becomes a question mark."""
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    path.write_bytes(text.encode("utf-8", "replace"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sample.kendra_ingestion.corpus", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; must be new or empty")
    parser.add_argument("--limit", type=int, help="write the first N documents only")
    parser.add_argument("--minimum", type=int, default=MINIMUM, help="fewer are an error (default %(default)s)")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    options = parser.parse_args(arguments)
    if options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
        parser.error(f"{options.folder} is not an empty folder")
    library = Path(sysconfig.get_path("stdlib"))
    count = write(islice(entries(library), options.limit), options.folder)
    expected = options.minimum if options.limit is None else min(options.minimum, options.limit)
    if count < expected:
        print(
            f"only {count} documents of the expected {expected}: {library} lacks sources; use a complete "
            "Python, or lower --minimum",
            file=sys.stderr,
        )
        return 1
    print(f"{count} documents in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
