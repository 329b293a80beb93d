"""Give up a file that was never carried. Here is the one line of outhaul that removes a file without proof.

It is reached only with a `Tombstone`: its job says that files may be given up when the disk is as full as this, and that this
one is has been made durable in the ledger. What is left to make sure of is what `dispose` does, but for the proof: that it is
still that file, finished, and that nobody is writing to it.
"""

from __future__ import annotations

from outhaul.model.errors import RemovalUnknown, SourceChanged, SourceStuck
from outhaul.model.evidence import Tombstone
from outhaul.ports import Folder
from outhaul.stages.package import refuse_unfinished

NO_RECEIPT = 0
"""What it is taken aside under: whoever finds it there after a crash finds no receipt, and puts it back."""


def shed(tombstone: Tombstone, folder: Folder) -> None:
    """Remove the source of a tombstone.

    Raises:
        SourceVanished: it is gone already.
        SourceInUse, WritersUnknown, SourceChanged: it is not a finished file any more; it stays.
        SourceStuck: it cannot be taken out of its directory.
        RemovalUnknown: it may be gone.
    """
    given_up = tombstone.settled.sighting
    with folder.open(given_up.name) as file:
        refuse_unfinished(tombstone.settled, file)
        leased = file.take_lease()
        if not file.unchanged():
            raise SourceChanged("it was written to")
        aside = folder.take_aside(given_up.name, NO_RECEIPT)
        if not aside.is_file(given_up) or (leased and not file.lease_holds()):
            if aside.put_back():
                raise SourceChanged("it was replaced, or opened for writing, at the last moment")
            raise SourceStuck(
                "it was replaced at the last moment, and its place is taken; it is in the private directory"
            )
        try:
            aside.unlink()  # The file of a tombstone that is on disk, in a directory that is ours alone, with no writer.
        except SourceStuck as error:
            raise RemovalUnknown(str(error)) from error
