"""Letting go of files as another user: where they are not ours to remove, as those of Scrapyd are not.

The other user's process is told, line by line, the receipts of one collection, and does with them what the engine does: each
source is opened, compared, leased, hashed again, taken aside and only then removed (`stages/dispose.py`). There is no shell
in between. It answers a line for each, and what it did is noted in our ledger.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from outhaul.engine.batches import Released, release
from outhaul.engine.grouping import release_group
from outhaul.host.filesystem import HostFileSystem
from outhaul.host.threads import ThreadWorkers
from outhaul.ledgers.rows import receipt_to_tell, receipt_told
from outhaul.model.errors import SourceError, SourceVanished
from outhaul.model.evidence import Disposal, Receipt
from outhaul.model.job import Destination, Job
from outhaul.ports import LeftAside, Tree
from outhaul.stages.dispose import finish
from outhaul.wiring import Wiring

MODULE = "outhaul.frontends.older.kingfisher_archive"
USUAL_USER = "ocdskfs"
"""Who removed files for the older program."""
_NO_STATE = "/dev/null/none"
"""The other user's process has no state directory: what it takes aside is in the source itself, and does not stay there."""


class Section(NamedTuple):
    """Files of one directory that are to go."""

    source: str
    """Absolute path."""
    directory: str
    """The directory beneath it whose files go together, and which goes with them; '' for single files."""
    receipts: Sequence[tuple[int, str]]
    """Number of the receipt, and the directory of its file beneath the source."""


def user_for(directories: Iterable[str], delete_as: str) -> str:
    """Who is to remove what is in these directories; '' for us, where we may, or where there is nobody else.

    Args:
        directories: All that something is to be removed from.
        delete_as: As configured; '' is the user that the older program had, where there is one.
    """
    if all(os.access(directory, os.W_OK | os.X_OK) for directory in directories if os.path.isdir(directory)):
        return ""
    if delete_as:
        return delete_as
    try:
        return pwd.getpwnam(USUAL_USER).pw_name
    except KeyError:
        return ""


# --- here ---------------------------------------------------------------------------------------------------------


def let_go(user: str, state: str, sections: Sequence[Section]) -> str:
    """Have another user let go of what has receipts.

    Returns:
        Why not everything went; '' where it did.
    """
    with Wiring(state) as wired:
        lines: list[str] = []
        for section in sections:
            lines.append(json.dumps({"source": section.source, "directory": section.directory}))
            for number, directory in section.receipts:
                if (receipt := wired.ledger.receipt(number)) is not None:
                    lines.append(json.dumps(receipt_to_tell(receipt, directory)))
        command = ["sudo", "-n", "-u", user, "--", sys.executable, "-m", MODULE, "release"]
        try:
            done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
        except OSError as error:
            return f"sudo cannot be run: {error.strerror}"
        fault, disposals = _answered(done.stdout)
        wired.ledger.note(0, disposals=disposals)
        wired.ledger.settle()
    if done.returncode and not fault:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"user {user} cannot remove it: {said}; allow it in sudoers, or name another user in DELETE_AS"
    return fault


def _answered(text: str) -> tuple[str, list[Disposal]]:
    fault, disposals = "", []
    for line in text.splitlines():
        told = json.loads(line)
        if told["outcome"]:
            disposals.append(Disposal(int(told["number"]), str(told["outcome"])))
        fault = fault or str(told["fault"])
    return fault, disposals


# --- there --------------------------------------------------------------------------------------------------------


def serve(lines: Iterable[str], say: Any) -> int:
    """Let go of what is told; called in the other user's process.

    Args:
        lines: For each section its source and directory, then its receipts.
        say: Called with each line of the answer.

    Returns:
        The exit code: 0 where everything went.
    """
    code = 0
    for source, directory, receipts in _sections(lines):
        for number, outcome, fault in _one(source, directory, receipts):
            say(json.dumps({"number": number, "outcome": outcome, "fault": fault}))
            code = code or bool(fault)
        if code:
            break  # What comes after belongs to what has not gone.
    return int(code)


def _sections(lines: Iterable[str]) -> Iterator[tuple[str, str, list[Receipt]]]:
    head: dict[str, Any] = {}
    receipts: list[Receipt] = []
    for line in lines:
        told = json.loads(line)
        if "source" in told:
            if head:
                yield head["source"], head["directory"], receipts
            head, receipts = told, []
        else:
            receipts.append(receipt_told(told))
    if head:
        yield head["source"], head["directory"], receipts


def _one(source: str, directory: str, receipts: list[Receipt]) -> Iterator[tuple[int, str, str]]:
    job = Job("release", source, Destination("", "file", "", ""), one_off=True)
    workers = ThreadWorkers()
    try:
        with HostFileSystem(_NO_STATE).tree(job) as tree:
            _recover(tree, {receipt.number: receipt for receipt in receipts})
            if directory:
                released = release_group(directory, receipts, tree, "delete", workers)
            else:
                released = release(receipts, tree, "delete", workers)
    except SourceError as error:
        released = Released([], [(receipt, error) for receipt in receipts])
    for disposal in released.disposals:
        yield disposal.number, disposal.outcome, ""
    for receipt, setback in released.setbacks:
        gone = isinstance(setback, SourceVanished)
        yield receipt.number, "gone" if gone else "", "" if gone else f"{receipt.sighting.path}: {setback}"


def _recover(tree: Tree, receipts: dict[int, Receipt]) -> None:
    """What a process of this kind had taken aside when it was killed goes, or goes back (as `engine/recovery.py`)."""
    for left in tree.left_aside():
        receipt = receipts.get(left.receipt)
        if receipt is None or receipt.sighting.path != left.path or not _finished(receipt, left):
            left.put_back(left.path)


def _finished(receipt: Receipt, left: LeftAside) -> bool:
    try:
        return bool(finish(receipt, left, "delete"))
    except SourceError:
        return False
