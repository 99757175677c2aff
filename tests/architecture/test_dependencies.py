"""The rules of docs/architecture.md, held against every import in the tree.

That a DVC stage names all the code it runs is held by tests/flows/test_stages.py.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("components/**/*.py"), *ROOT.glob("flows/**/*.py")])
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "base"}
SOLE_IMPORTERS = {
    "prefect": ("flows/",),
    "mlflow": ("components/stores/tracking.py", "components/stores/served_model.py"),
    "boto3": ("components/stores/objects.py",),
    "dvc": ("components/stores/versions.py",),
    "great_expectations": ("components/data/validate.py",),
    "optuna": ("components/tune/",),
    "anomalib": ("components/models/",),
}
PLUGINS = ("augment", "synthesize", "models", "metrics")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def offences(paths: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for name, line in imports(path)
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in forbidden)
    ]


def under(folder: str) -> list[Path]:
    return [path for path in SOURCES if path.relative_to(ROOT).as_posix().startswith(folder)]


def test_the_tree_is_read_at_all() -> None:
    assert len(SOURCES) > 50


def test_components_never_import_flows() -> None:
    assert offences(under("components/"), ("flows",)) == []


@pytest.mark.parametrize("name", ["records", "params", "errors"])
def test_the_lowest_modules_import_nothing_else_of_ours(name: str) -> None:
    others = tuple(
        {module_name(p) for p in under("components/")}
        - {"components", "components.records", "components.params", "components.errors"}
    )
    assert offences([ROOT / f"components/{name}.py"], others) == []


@pytest.mark.parametrize("kind", PLUGINS)
def test_plugin_kinds_do_not_import_each_other(kind: str) -> None:
    others = tuple(f"components.{other}" for other in PLUGINS if other != kind)
    assert offences(under(f"components/{kind}/"), others) == []


def test_data_imports_no_plugin_kind() -> None:
    assert offences(under("components/data/"), tuple(f"components.{k}" for k in PLUGINS)) == []


def test_stores_are_called_from_flows_alone() -> None:
    outside = [p for p in under("components/") if "components/stores/" not in p.as_posix()]
    assert offences(outside, ("components.stores",)) == []


@pytest.mark.parametrize(("service", "allowed"), SOLE_IMPORTERS.items())
def test_each_service_has_one_importer(service: str, allowed: tuple[str, ...]) -> None:
    elsewhere = [p for p in SOURCES if not p.relative_to(ROOT).as_posix().startswith(allowed)]
    assert offences(elsewhere, (service,)) == []


def test_the_environment_is_read_in_settings_alone() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in under("components/")
        if "os.environ.get(" in path.read_text(encoding="utf-8")
    ]
    # A DVC stage is a process of its own: its channel can only come through the environment.
    assert readers in ([], ["components/stores/versions.py"])


def test_no_module_is_a_drawer() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert names & DRAWERS == set()


def test_no_file_holds_more_than_four_hundred_lines() -> None:
    long = {p.name: n for p in SOURCES if (n := len(p.read_text().splitlines())) > 400}
    # records.py is one list of records, read first and whole.
    assert set(long) <= {"records.py"}


def test_help_imports_nothing_heavy_and_answers_in_half_a_cpu_second() -> None:
    program = (
        "import sys, time\n"
        "from flows.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'mlflow', 'prefect', 'anomalib', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert time.process_time() < 0.5, time.process_time()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "exit codes" in done.stdout


def test_loading_a_station_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from components.station import load_station\n"
        "load_station(Path('params'), 'elpv')\n"
        "libraries = {'torch', 'mlflow', 'prefect', 'anomalib', 'optuna', 'pandas'}\n"
        "heavy = libraries & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


# One meaning that several parts of the tree find out: no normal image, a NaN, one class only.
SAID_IN_SEVERAL_PLACES = {"E101", "E102", "E111", "E114"}


def test_an_error_code_means_one_thing() -> None:
    places: dict[str, set[str]] = {}
    for path in SOURCES:
        relative = path.relative_to(ROOT)
        area = relative.parts[1] if len(relative.parts) > 2 else relative.parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            code = node.args[0]
            if isinstance(code, ast.Constant) and re.fullmatch(r"E\d{3}", str(code.value)):
                places.setdefault(str(code.value), set()).add(area)
    assert len(places) > 100
    shared = {code for code, areas in places.items() if len(areas) > 1}
    assert shared - SAID_IN_SEVERAL_PLACES == set()
