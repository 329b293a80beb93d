"""Where a worker keeps its ledger: a directory of this user's alone, on a disk of this machine."""

from __future__ import annotations

import os
import stat

from outhaul.model.errors import ConfigurationError, LedgerError

_NETWORK = (
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "cvfs", "fakeowner", "fhgfs", "fuse.blobfuse", "fuse.blobfuse2",
    "fuse.ceph", "fuse.ceph-fuse", "fuse.daos", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.grpcfuse",
    "fuse.juicefs", "fuse.lizardfs", "fuse.lustre", "fuse.mfs", "fuse.osxfs", "fuse.rclone", "fuse.s3fs", "fuse.seaweedfs",
    "fuse.sshfs", "fuse.vmhgfs-fuse", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs",
    "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs",
)  # fmt: skip
"""File systems that several machines share, or a machine and its guests, as /proc/self/mountinfo names them. Some in user space
are named `fuse` alone there, and nobody can tell."""


def made_beneath(home: str, *names: str) -> str:
    """A directory of these names beneath the place where workers keep their ledgers. Raises as `made_local`."""
    for name in ("", *names):
        home = os.path.join(home, name) if name else home
        made_local(home)
    return home


def workers_home() -> str:
    """Where workers of this machine keep their ledgers, unless they are told: /var/tmp outlasts a restart of the machine."""
    return os.path.join(os.environ.get("XDG_STATE_HOME") or "/var/tmp", f"outhaul-workers-{os.geteuid()}")


def made_local(path: str) -> None:
    """Make a directory, and those above it; it has to be this user's alone.

    Raises:
        LedgerError: it cannot be made.
        ConfigurationError: it is somebody else's, or lies on a network file system.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.stat(path)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
    refuse_network(path, found)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise ConfigurationError(f"{path}: it must belong to outhaul's user, and nobody else may write there")


def refuse_network(path: str, found: os.stat_result) -> None:
    """Raise ConfigurationError where a directory lies on a file system that several machines share; `found` is its state."""
    if kind := network_kind(f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}", _mounts()):
        raise ConfigurationError(
            f"{path} lies on {kind}, and a ledger in SQLite belongs on a disk of its own machine: "
            "name another --state, or for a worker another XDG_STATE_HOME"
        )


def network_kind(device: str, mounts: str) -> str:
    """The kind of network file system that a device is, by the text of /proc/self/mountinfo (proc(5)); '' for none."""
    for line in mounts.split("\n"):
        front, _, back = line.partition(" - ")
        fields, kind = front.split(" "), back.split(" ")[0]
        if len(fields) > 2 and fields[2] == device and kind in _NETWORK:
            return kind
    return ""


def _mounts() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
