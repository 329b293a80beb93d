"""The order of the house is in its types: mypy refuses to skip a step."""

import subprocess
import sys
from pathlib import Path

HEAD = """
from outhaul.model.evidence import Package, Proof, Receipt, Settled, Sighting, Upload
from outhaul.model.job import Job
from outhaul.ports import Folder, Ledger, OpenFile, Store
from outhaul.stages.dispose import dispose
from outhaul.stages.package import package
from outhaul.stages.prove import prove
from outhaul.stages.record import record
from outhaul.stages.upload import upload

def steps(
    job: Job, sighting: Sighting, settled: Settled, packed: Package, sent: Upload, proof: Proof, receipt: Receipt,
    folder: Folder, file: OpenFile, store: Store, ledger: Ledger
) -> None:
    {line}
"""
ALLOWED = [
    "package(job, settled, file, 1)",
    "upload(packed, 'hold', store)",
    'prove(sent, "auto", store, 1)',
    "record(1, [proof], ledger)",
    "dispose(receipt, folder, 'delete')",
]
REFUSED = [
    "dispose(proof, folder, 'delete')",
    "dispose(sent, folder, 'delete')",
    "dispose(packed, folder, 'delete')",
    "dispose(sighting, folder, 'delete')",
    "record(1, [sent], ledger)",
    "record(1, [receipt], ledger)",
    'prove(packed, "auto", store, 1)',
    "upload(settled, 'hold', store)",
    "package(job, sighting, file, 1)",
]


def test_the_chain_of_evidence(tmp_path: Path) -> None:
    """Each stage takes what the stage before it made, and nothing else: mypy --strict says so."""
    for index, line in enumerate([*ALLOWED, *REFUSED]):
        (tmp_path / f"line_{index}.py").write_text(HEAD.format(line=line))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    found = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False).stdout
    errors = [line for line in found.splitlines() if ": error:" in line]
    refused = {Path(line.split(":")[0]).name for line in errors if "[arg-type]" in line or "[list-item]" in line}
    assert {f"line_{index}.py" for index in range(len(ALLOWED), len(ALLOWED) + len(REFUSED))} == refused, found
    assert len(REFUSED) == len(errors), found
