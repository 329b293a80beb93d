"""Groups: the files of a directory that travel as one object, and go as one.

The object is proved, and that is written down, before the manifest is sent which makes the group count; then its files
have their receipts in one transaction. A later run finds what was left in between, as for bundles. Before the first of
them is let go, all are looked at: where one has changed, none goes, and the group is carried anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from outhaul.engine.batches import Carried, Ports, Released, UntilStopped, release, send_large
from outhaul.engine.retry import reason_of
from outhaul.model.bundle import Bundle, beside
from outhaul.model.errors import (
    GroupWaits,
    OnItsWay,
    OuthaulError,
    OutOfMemory,
    SourceChanged,
    SourceError,
    SourceVanished,
    StoreError,
    UploadGone,
    bare,
)
from outhaul.model.events import Passing
from outhaul.model.evidence import Proof, Receipt, Settled, Upload, same_generation
from outhaul.model.job import After, Job
from outhaul.model.lifecycle import REASONS
from outhaul.ports import Begun, Store, Tree, Workers
from outhaul.stages.bundle import proofs_of_members, send_text
from outhaul.stages.group import Group, GroupTar, bundle_of, package_group
from outhaul.stages.shown import not_shown
from outhaul.stages.tidy import remove_empty


def carry_group(
    group: Group, begun: Begun | None, passing: Passing, job: Job, tree: Tree, store: Store, ports: Ports
) -> Carried:
    """Take a group to the proof of its object, which the caller writes down; or begin that, as `batches.carry_large`."""
    carried = Carried(0, [], [], 0, passing=passing, group=group)
    tar = GroupTar(tree, group.members)
    try:
        packed, pieces = package_group(job, group, tar, store.small_max, ports.compression(job))
        if packed.body is not None and begun is not None:
            raise UploadGone("it was begun when it was larger")
        if packed.body is None:
            packed = packed._replace(source=UntilStopped(tar, job, ports, passing))
        elif not tar.unchanged():
            raise SourceChanged("it changed while its group was read")

        def leave(sent: Upload) -> None:
            """On a stick its manifest travels with it: the carrier sends it when the object is proved."""
            bundle = bundle_of(group, tar, pieces, sent.key, sent.package)
            with contextlib.suppress(OnItsWay):
                send_text(*beside(bundle, bundle.key), job, store, ports.clock.wall_ns())

        sent = send_large(packed, begun, pieces, tar.unchanged, job, store, ports, leave)
        if isinstance(sent, Begun):
            return carried._replace(begun=(group, sent))
        stored = packed._replace(length=sent.length, sha256=sent.stored_sha256 or sent.sha256, codec=sent.codec)
        return carried._replace(grouped=(group, bundle_of(group, tar, pieces, sent.key, stored), sent))
    except SourceError as error:  # The fault of one file.
        carried.setbacks.extend(_blamed(group, tar.at, bare(error)))
    except StoreError as error:
        carried.setbacks.extend((settled, bare(error)) for settled in group.members)
    except MemoryError:
        carried.setbacks.extend((settled, OutOfMemory()) for settled in group.members)
    finally:
        tar.close()
    return carried


def finish_group(
    group: Group, number: int, bundle: Bundle, proof: Proof, job: Job, store: Store, ports: Ports
) -> Carried:
    """Write the manifest of a group that has been written down under this number: now it counts."""
    carried = Carried(0, [], [], 0, group=group)
    try:
        send_text(*beside(bundle, bundle.key), job, store, ports.clock.wall_ns())
        carried.proofs.extend(proofs_of_members(bundle, number, proof))
    except StoreError as error:
        carried.setbacks.extend((settled, bare(error)) for settled in group.members)
    return carried


def by_group(
    receipts: Sequence[Receipt], proofs: Sequence[Proof], groups: dict[int, Group]
) -> Iterable[tuple[str, Sequence[Receipt]]]:
    """The receipts of these proofs, those of a group apart, with its directory; '' for those of no group.

    Args:
        receipts: Parallel to `proofs`.
        proofs: Of files, some of which are in groups.
        groups: Number of the bundle to group; those that are found here are taken out.
    """
    if not groups:
        return [("", receipts)]
    together: dict[str, list[Receipt]] = {}
    for receipt, proof in zip(receipts, proofs, strict=True):
        group = groups.get(proof.within.bundle) if proof.within else None
        together.setdefault(group.directory if group else "", []).append(receipt)
    for number in {proof.within.bundle for proof in proofs if proof.within}:
        groups.pop(number, None)
    return together.items()


def release_old_group(
    directory: str, receipts: Sequence[Receipt], tree: Tree, job: Job, store: Store, workers: Workers, is_full: bool
) -> Released:
    """As `batches.release_old`: where the store does not show the object of a group, all of it stays."""
    lacks = list(not_shown(receipts, job, store, is_full=is_full).values())
    if lacks:
        return Released([], [(receipt, lacks[0]) for receipt in receipts])
    return release_group(directory, receipts, tree, job.after, workers)


def release_group(directory: str, receipts: Sequence[Receipt], tree: Tree, after: After, workers: Workers) -> Released:
    """Let go of the sources of a group, if all of them still are what was proved; and then of its directories, when empty.

    Its companions come last, and with the first that cannot go it ends: what is left is a group still.
    """
    hindered: list[tuple[Receipt, OuthaulError]] = [
        (receipt, error) for receipt in receipts if (error := _hindrance(receipt, tree)) is not None
    ]
    if hindered:
        blamed = {receipt.number for receipt, _ in hindered}
        waits = _waits(hindered[0][0].sighting.path, hindered[0][1])
        return Released([], hindered + [(receipt, waits) for receipt in receipts if receipt.number not in blamed])
    released, stuck, gone = Released([], []), "", set[tuple[int, int]]()
    for receipt in sorted(receipts, key=lambda receipt: (not _is_inside(directory, receipt), receipt.sighting.path)):
        if stuck:
            released.setbacks.append((receipt, GroupWaits(stuck)))
            continue
        one = release([receipt], tree, after, workers, gone)
        released.disposals.extend(one.disposals)
        released.setbacks.extend(one.setbacks)
        for _, fault in one.setbacks:
            stuck = "" if isinstance(fault, SourceVanished) else str(_waits(receipt.sighting.path, fault))
    if not stuck:
        remove_empty(tree, _directories(directory, receipts))
    return released


def _blamed(group: Group, path: str, error: SourceError) -> list[tuple[Settled, OuthaulError]]:
    waits = _waits(path, error)
    return [(settled, error if settled.sighting.path == path else waits) for settled in group.members]


def _waits(path: str, error: OuthaulError) -> GroupWaits:
    """What is said of the others, where one file does not go."""
    return GroupWaits(f"{path}: {str(error) or REASONS[reason_of(error)].meaning}")


def _hindrance(receipt: Receipt, tree: Tree) -> SourceError | None:
    """Why a source cannot be let go now, as far as a look tells; one that is gone hinders nobody."""
    try:
        with tree.folder(receipt.sighting.directory) as folder, folder.open(receipt.sighting.name) as file:
            file.check_writers()
            if not same_generation(file.sighting, receipt.sighting):
                return SourceChanged("another file has its name, or it was written to")
    except SourceVanished:
        return None
    except SourceError as error:
        return error
    return None


def _is_inside(directory: str, receipt: Receipt) -> bool:
    return f"{receipt.sighting.directory}/".startswith(f"{directory}/")


def _directories(top: str, receipts: Sequence[Receipt]) -> list[str]:
    """The directories of a group, the deepest first."""
    found = {top}
    for receipt in receipts:
        path = receipt.sighting.directory
        while path.startswith(f"{top}/"):
            found.add(path)
            path = path.rpartition("/")[0]
    return sorted(found, key=lambda directory: directory.count("/"), reverse=True)
