"""The source is read, and says that the laws are kept."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import outhaul

ROOT = Path(outhaul.__file__).parent
MODULES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
DECIDING = [name for name in MODULES if name.split("/")[0] in ("model", "ports", "stages", "engine")]


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a module, with what is called, as it is written."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def functions_that_call(called: str) -> set[tuple[str, str]]:
    """Module and innermost function (or class) of every call of `called`."""
    found = set()
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Call) and ast.unparse(inner.func) == called:
                        found.add((name, node.name))
    return found


def test_receipts_are_made_of_ledger_rows_only() -> None:
    """A `Receipt` is constructed in ledgers/rows.py and nowhere else: it lets a file go (L5)."""
    makers = {
        name
        for name in MODULES
        for called, _ in calls(name)
        if not name.startswith("testing/") and (called.split(".")[0] == "Receipt" or called.endswith(".Receipt"))
    }
    assert {"ledgers/rows.py"} == makers


def test_tombstones_are_made_of_ledger_rows_only() -> None:
    """A `Tombstone` is constructed in ledgers/rows.py, for the ledger alone: it lets a file go that was never carried."""
    found = {
        (name, called)
        for name in MODULES
        for called, _ in calls(name)
        if called.split(".")[-1] in ("Tombstone", "tombstone_of_row")
    }
    assert {
        ("ledgers/rows.py", "Tombstone"),
        *((f"ledgers/{name}.py", "tombstone_of_row") for name in ("postgres", "sqlite")),
    } == found


def test_who_gives_files_up() -> None:
    """`shed` is called in one place, with what `bury` has made durable in that same place."""
    assert {("engine/room.py", "_went")} == functions_that_call("shed")
    assert {("engine/room.py", "_give_up")} == functions_that_call("ledger.bury")


def test_rows_become_receipts_in_the_ledger_only() -> None:
    """What rows.py makes is asked for by a ledger only."""
    users = {name for name in MODULES for called, _ in calls(name) if called.startswith("receipt_of_")}
    assert {"ledgers/postgres.py", "ledgers/sqlite.py"} == users


def test_one_stage_gives_receipts() -> None:
    """Of all stages record alone gives receipts, and dispose alone takes them to a file's removal."""
    givers = {
        name
        for name in MODULES
        if name.startswith("stages/")
        for node in ast.walk(MODULES[name])
        if isinstance(node, ast.FunctionDef) and node.returns is not None and "Receipt" in ast.unparse(node.returns)
    }
    assert {"stages/record.py"} == givers


def test_evidence_is_not_forged() -> None:
    """No `_replace`, `_make` or `cast` makes evidence of something else, but for a sighting's birth time."""
    forged = [
        (name, ast.unparse(node))
        for name in DECIDING
        for called, node in calls(name)
        if (
            (called.endswith(("._replace", "._make")) and "receipt" in called.lower() + ast.unparse(node).lower())
            and "sighting._replace(birth_ns=0)" not in ast.unparse(node)
        )
        or called in ("cast", "typing.cast")
    ]
    assert forged == []


@pytest.mark.parametrize("name", DECIDING)
def test_decisions_touch_the_world_through_ports_only(name: str) -> None:
    """No built-in that opens, prints, asks or evaluates is used where decisions are made; nor a module that does."""
    builtins = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
    assert set() == {called for called, _ in calls(name)} & builtins
    modules = {"os", "io", "pathlib", "shutil", "time", "random", "threading", "socket", "subprocess", "sqlite3", "tempfile",
               "datetime", "logging", "urllib.request", "http", "ctypes", "signal", "uuid", "secrets", "asyncio"}  # fmt: skip
    imported = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, node.module.split(".")[0]} - {"urllib"}
    assert set() == imported & modules


def test_where_a_users_file_is_removed() -> None:
    """The lines that remove a file that may be a user's are few, and each is known here (L6)."""
    removers = {"os.unlink", "os.remove", "os.rename", "os.replace", "shutil.rmtree", "shutil.move", "os.truncate"}
    found = {
        (name, called)
        for name in MODULES
        if not name.startswith(("testing/", "frontends/cli/demo"))
        for called, _ in calls(name)
        if called in removers or called.endswith((".unlink", ".rmtree"))
    }
    expected = {
        ("stages/dispose.py", "aside.unlink"),  # with a receipt
        ("stages/dispose.py", "left.unlink"),  # with a receipt
        ("stages/shed.py", "aside.unlink"),  # with a tombstone, where a job says shed-below
        ("host/private.py", "os.unlink"),  # what both of these call, in the private directory
        ("host/private.py", "self.unlink"),  # the same, once the file has its name in the archive, on disk
        ("host/archive.py", "os.unlink"),  # its own copy, or a name that it has just given
        ("host/system_calls.py", "os.unlink"),  # the second half of a rename, by hard link
        ("host/system_calls.py", "os.rename"),  # into the private directory, to a name that nobody has
        ("stores/directory.py", "os.unlink"),  # its own temporary file
        ("stores/stream_manager_spool.py", "os.unlink"),  # its own copy, in the state directory
        ("stores/stream_manager_spool.py", "os.rename"),  # the same, once it is whole, to a name that nobody else has
        ("stores/stick_directory.py", "os.unlink"),  # its own copies and texts on a stick
        ("stores/stick_directory.py", "os.rename"),  # the same, once whole, to a name that nobody else has
        ("stores/stick_memory.py", "os.unlink"),  # its own note in the state directory
        ("stores/stick_memory.py", "os.rename"),  # the same, once it is whole
        ("stores/carrier_memory.py", "os.unlink"),  # its own note in the state directory
        ("stores/carrier_memory.py", "os.rename"),  # the same, once it is whole
        ("ledgers/reserve.py", "os.unlink"),  # its own file
        ("ledgers/damage.py", "os.unlink"),  # its own note
        ("ledgers/damage.py", "os.replace"),  # a damaged ledger, set aside
        ("stores/directory.py", "os.rename"),  # the same over an object, where the job says `replace`
        ("host/landing.py", "os.unlink"),  # its own temporary file
        ("host/neighbours.py", "os.unlink"),  # a lock of its own, while it is held
        ("host/leftovers.py", "os.unlink"),  # one that a killed restore has left, and that nobody holds
        ("host/pauses.py", "os.replace"),  # its own file, over the one before it
        ("frontends/cli/metrics.py", "os.unlink"),  # its own temporary file
        ("frontends/cli/metrics.py", "os.rename"),  # the same over an earlier one that it wrote
        ("ledgers/small_tables.py", "os.unlink"),  # its own temporary file
        ("ledgers/small_tables.py", "os.rename"),  # the same over an earlier one in the state directory
        ("ledgers/removing.py", "os.unlink"),  # a ledger of a worker, once all that it tells is in the bucket
        ("host/fences.py", "os.unlink"),  # a file with its own locks, while nobody else holds any
        ("frontends/web/server.py", "os.unlink"),  # its own socket, or one that a dead process left
        ("host/asked.py", "os.replace"),  # its own notes in the state directory
        ("frontends/telling/memory.py", "os.replace"),  # its own note in the state directory
        ("frontends/older/pending.py", "os.replace"),  # its own list in the state directory
        (
            "frontends/older/pending.py",
            "os.rename",
        ),  # the list of archive-upload, once all of it has arrived, to a free name
        ("host/landing.py", "os.rename"),  # a restored file over another, with --overwrite only
    }
    assert expected == found


def test_an_unlink_is_by_descriptor() -> None:
    """Nothing is removed by a path that would be resolved anew (L1)."""
    for name in MODULES:
        if name.startswith(("host/", "stores/")):
            for called, node in calls(name):
                if called in ("os.unlink", "os.rmdir") and name != "host/private.py":
                    assert {"dir_fd"} == {keyword.arg for keyword in node.keywords}, (name, ast.unparse(node))


def test_every_module_says_what_it_is() -> None:
    """A docstring stands at the head of every module, and none is beyond 450 lines."""
    assert [name for name, tree in MODULES.items() if not ast.get_docstring(tree)] == []
    assert [name for name in MODULES if len((ROOT / name).read_text().splitlines()) > 450] == []
