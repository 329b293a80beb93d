"""One file in a simulated world, and what the stages make of it up to the stage under test."""

import hashlib

from outhaul.model.evidence import Package, Receipt, Settled, Sighting
from outhaul.model.job import Destination, Job
from outhaul.ports import ONE_BY_ONE
from outhaul.stages.package import digested, package
from outhaul.testing.clock import SimulatedClock
from outhaul.testing.files import SimulatedFileSystem
from outhaul.testing.store import BytesOf, SimulatedStore

DESTINATION = Destination("s3://bucket/site", "s3", "bucket", "site")


def job(quiet_ns: int = 0) -> Job:
    """A job on the simulated source."""
    return Job("stages", "/source", DESTINATION, quiet_ns=quiet_ns)


class World:
    """A clock, files and a store."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.files = SimulatedFileSystem(self.clock)
        self.store = SimulatedStore()
        self.job = job()

    def sighting(self, path: str) -> Sighting:
        """The file as it is now, by its descriptor."""
        directory, _, name = path.rpartition("/")
        with self.files.tree(self.job) as tree, tree.folder(directory) as folder, folder.open(name) as file:
            return file.sighting

    def package(self, path: str = "a/file.csv") -> Package:
        """The package of a file."""
        directory, _, name = path.rpartition("/")
        with self.files.tree(self.job) as tree, tree.folder(directory) as folder, folder.open(name) as file:
            made = package(self.job, Settled(file.sighting, 0), file, self.store.small_max)
        (made,) = digested([made], ONE_BY_ONE)
        return made._replace(source=BytesOf(self.files.read(path) or b""))

    def receipt(self, path: str, number: int = 1) -> Receipt:
        """A receipt of the file as it is now, as if it had been carried."""
        content = self.files.read(path)
        assert content is not None
        sighting = self.sighting(path)
        return Receipt(number, sighting, hashlib.sha256(content).digest(), DESTINATION.address, path)
