"""House rules as tests: sizes, bans, inheritance, locks, venues, links. Each rule brings an example it must catch."""

from __future__ import annotations

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]
MODULES: list[str] = PROJECT["tool"]["setuptools"]["py-modules"]

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
TASK_SUPERVISOR = "core/supervisor.py"
MAY_PRINT = ("cli/", "bench/", "chaos/__main__.py", "simulator/server.py", "execute_trades.py", "tests/")
MAY_BE_INHERITED = {"Protocol", "Exception", "Event"}  # a fact begins with its time and account
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}

Breach = tuple[int, str]


# --- what is looked at ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file. `path` is relative to the checkout, with forward slashes."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def sources() -> list[Source]:
    found = [path for name in [*PACKAGES, "tests"] for path in (ROOT / name).rglob("*.py")]
    found += [ROOT / f"{name}.py" for name in MODULES]
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in sorted(found)]


def everywhere(path: str) -> bool:
    return True


def besides_this(path: str) -> bool:
    return path != "tests/test_tidy.py"


def ours(path: str) -> bool:
    return not path.startswith("tests/")


def core(path: str) -> bool:
    return path.startswith("core/")


def timeless_core(path: str) -> bool:
    return core(path) and path != "core/clock.py"


# --- how breaches are found -------------------------------------------------------------------------------------------


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names, else ''."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def long_modules(source: Source) -> Iterator[Breach]:
    if len(source.lines) > MAX_MODULE_LINES:
        yield len(source.lines), f"more than {MAX_MODULE_LINES} lines"


def long_functions(source: Source) -> Iterator[Breach]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines"


def words(pattern: str) -> Callable[[Source], Iterator[Breach]]:
    compiled = re.compile(pattern)

    def find(source: Source) -> Iterator[Breach]:
        for number, line in enumerate(source.lines, start=1):
            if found := compiled.search(line):
                yield number, found.group()

    return find


def broad_excepts(source: Source) -> Iterator[Breach]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for kind in caught:
                if kind is None or dotted(kind) in {"Exception", "BaseException"}:
                    yield node.lineno, "catches everything"


def imports_of(*banned: str) -> Callable[[Source], Iterator[Breach]]:
    def find(source: Source) -> Iterator[Breach]:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            yield from ((node.lineno, name) for name in names if name.split(".")[0] in banned)

    return find


def calls_of(pattern: str) -> Callable[[Source], Iterator[Breach]]:
    compiled = re.compile(pattern)

    def find(source: Source) -> Iterator[Breach]:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and compiled.fullmatch(name := dotted(node.func)):
                yield node.lineno, f"{name}()"

    return find


def swallowed_unknowns(source: Source) -> Iterator[Breach]:
    """An except whose whole answer is an empty value: the way unknown becomes zero."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler) or len(node.body) != 1 or not isinstance(node.body[0], ast.Return):
            continue
        value = node.body[0].value
        if isinstance(value, ast.List | ast.Dict | ast.Tuple) and not ast.unparse(value).strip("[](){} ,"):
            yield node.lineno, ast.unparse(node.body[0])
        if isinstance(value, ast.Constant) and value.value == 0 and value.value is not False:
            yield node.lineno, ast.unparse(node.body[0])


# --- the rules --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    applies: Callable[[str], bool]
    find: Callable[[Source], Iterator[Breach]]
    caught: str  # a breach, to prove that the rule can fail


AMBIENT = r"time\.(time|monotonic|perf_counter)(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
AMBIENT += r"|random\.\w+|secrets\.\w+|os\.urandom|uuid\.uuid\d|asyncio\.get_event_loop"

LATER = r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"
UNEXPLAINED = r"#\s*type:\s*ignore(?!\[[\w, -]+\]\s+#\s*\S)"
SERIALIZERS = ("pickle", "ujson", "marshal", "shelve", "dill")
IO_LIBRARIES = ("socket", "subprocess", "threading", "multiprocessing", "requests")


def outside_the_supervisor(path: str) -> bool:
    return ours(path) and path != TASK_SUPERVISOR


def behind_the_front_end(path: str) -> bool:
    return not path.startswith(MAY_PRINT)


RULES = [
    Rule("modules are short", everywhere, long_modules, "x = 1\n" * (MAX_MODULE_LINES + 1)),
    Rule("functions are short", everywhere, long_functions, "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES),
    Rule("nothing is left for later", besides_this, words(LATER), "x = 1  # TODO"),
    Rule("nothing is a stub", besides_this, words(r"\bNotImplemented" r"Error\b"), "raise NotImplementedError"),
    Rule("ignores are explained", besides_this, words(UNEXPLAINED), "x = 1  # type: ignore[arg-type]"),
    Rule("one place catches all", outside_the_supervisor, broad_excepts, "try:\n    x\nexcept Exception:\n    y"),
    Rule("unknown is not zero", ours, swallowed_unknowns, "try:\n    x\nexcept OSError:\n    return {}"),
    Rule("data is JSON", everywhere, imports_of(*SERIALIZERS), "from pickle import loads"),
    Rule("data is not code", ours, calls_of(r"eval|exec|compile|__import__"), "eval('1')"),
    Rule("time and chance are injected", timeless_core, calls_of(AMBIENT), "import time\ntime.time()"),
    Rule("core opens nothing", core, imports_of(*IO_LIBRARIES), "import socket"),
    Rule("only the front end prints", behind_the_front_end, calls_of("print"), "print(1)"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule(rule: Rule) -> None:
    breaches = [f"{s.path}:{line}: {what}" for s in sources() if rule.applies(s.path) for line, what in rule.find(s)]
    assert not breaches, rule.name + ":\n" + "\n".join(breaches)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_catches_its_breach(rule: Rule) -> None:
    assert list(rule.find(Source("core/example.py", rule.caught)))


def base_names(node: ast.ClassDef) -> list[str]:
    return [dotted(base.value if isinstance(base, ast.Subscript) else base).split(".")[-1] for base in node.bases]


def test_core_inherits_only_protocols_and_errors() -> None:
    trees = [source.tree for source in sources() if core(source.path)]
    bases = {n.name: base_names(n) for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}

    def may_be_inherited(name: str) -> bool:
        return name in MAY_BE_INHERITED or any(map(may_be_inherited, bases.get(name, [])))

    own = {name: [base for base in of if base in bases] for name, of in bases.items()}
    assert own
    assert {name: of for name, of in own.items() if not all(map(may_be_inherited, of))} == {}


# --- the project's own files ------------------------------------------------------------------------------------------


def layer_names() -> list[str]:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [layer for contract in contracts for layer in contract.get("layers", [])]
    return [name.strip(" ()") for layer in layers for name in layer.split("|")]


@pytest.mark.parametrize("name", layer_names())
def test_layer_exists(name: str) -> None:
    path = ROOT.joinpath(*name.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_every_package_is_layered_and_installed() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert found <= set(PACKAGES)
    assert found <= {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}


def hosts_of(text: str) -> set[str]:
    return {urlsplit(url).hostname or "" for url in re.findall(r"""https?://[^\s"'<>]+""", text)}


def test_python_lock_names_public_hosts_only() -> None:
    assert hosts_of((ROOT / "uv.lock").read_text()) <= PUBLIC_HOSTS
    assert hosts_of((ROOT / "pyproject.toml").read_text()) <= PUBLIC_HOSTS
    assert "index" not in PROJECT["tool"]["uv"]


def test_node_lock_names_public_hosts_only() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    resolved = [package["resolved"] for package in lock["packages"].values() if "resolved" in package]
    assert hosts_of(" ".join(resolved)) <= PUBLIC_HOSTS
    assert all(package.get("integrity") for name, package in lock["packages"].items() if name)
    assert re.fullmatch(r"7\.\d+\.\d+", lock["packages"]["node_modules/pm2"]["version"])
    assert hosts_of((ROOT / "package.json").read_text()) <= PUBLIC_HOSTS


def registry() -> dict[str, str]:
    """venue -> "module:Class"."""
    return dict(importlib.import_module("account_processors").REGISTRY)


def venue_files(venue: str, target: str) -> dict[str, Path]:
    return {
        "processor": ROOT.joinpath(*target.partition(":")[0].split(".")).with_suffix(".py"),
        "codec": ROOT / "account_processors" / "codecs" / f"{venue}.py",
        "facade": ROOT / "simulator" / "facades" / venue / "__init__.py",
        "page": ROOT / "docs" / "venues" / f"{venue}.md",
        "golden payloads": ROOT / "tests" / "contract" / "golden" / venue,
        "bench": ROOT / "tests" / "contract" / f"{venue}_bench.py",
    }


def bench_modules() -> set[str]:
    """What the contract suite runs over."""
    return set(importlib.import_module("tests.contract.suite.benches").MODULES)


def simulated() -> set[str]:
    return set(importlib.import_module("simulator.facades").REGISTRY)


def lacking(venue: str, target: str) -> list[str]:
    """What a venue of the registry is without, in words."""
    found = [what for what, path in venue_files(venue, target).items() if not present(path)]
    found += [] if f"tests.contract.{venue}_bench" in bench_modules() else ["line in tests/contract/suite/benches.py"]
    return found + ([] if venue in simulated() else ["line in simulator/facades/__init__.py"])


def present(path: Path) -> bool:
    """Whether something stands in the file, or in one of the folder's."""
    return any(one.is_file() and one.read_bytes().strip() for one in (path, *path.rglob("*")))


@pytest.mark.parametrize("venue", sorted(registry()))
def test_every_venue_is_complete(venue: str) -> None:
    assert lacking(venue, registry()[venue]) == []


def test_a_venue_of_which_there_is_nothing_is_told_what_it_lacks() -> None:
    everything = [*venue_files("bybit", ""), "line in tests/contract/suite/benches.py"]
    assert lacking("nowhere", "account_processors.nowhere:Nothing") == [
        *everything,
        "line in simulator/facades/__init__.py",
    ]


def test_what_is_empty_is_not_there(tmp_path: Path) -> None:
    folder, page = tmp_path / "golden", tmp_path / "page.md"
    folder.mkdir()
    assert not present(page)
    for empty in (page, folder / "order.json"):
        empty.write_text("\n")
    assert not present(page)
    assert not present(folder)
    (folder / "order.json").write_text("{}")
    assert present(folder)


def pages() -> list[Path]:
    """Our Markdown: not what is hidden (environments, demo homes) and not what npm brought."""
    found = sorted(ROOT.rglob("*.md"))
    return [p for p in found if not any(s.startswith(".") or s == "node_modules" for s in p.relative_to(ROOT).parts)]


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link may name after #: each heading in small letters, blanks as hyphens, without punctuation."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    words = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-") for text in words}


def resolves(page: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = page.parent / place if place else page
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors(target))


def broken_links(page: Path) -> list[str]:
    inside = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if not re.match(r"[a-z]+:", link)]
    return [link for link in inside if not resolves(page, link)]


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One `two`, [three](x.md)\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md#one-two-three) [b](#here) [c](other.md#two) [d](#there) [e](gone.md) [f](https://x)"
    )
    assert broken_links(page) == ["other.md#two", "#there", "gone.md"]


def test_links_resolve() -> None:
    broken = {str(page.relative_to(ROOT)): links for page in pages() if (links := broken_links(page))}
    assert broken == {}
