"""Configurations for tests, and what outhaul says of them."""

from pathlib import Path

from outhaul.config.native import load
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job

HEAD = '[[job]]\nname = "a"\nsource = "data"\nto = "s3://bucket/prefix"\n'
"""A complete job, four lines long."""


def write(folder: Path, content: str | bytes, name: str = "outhaul.toml") -> Path:
    """A configuration in a folder that also has the directories `data` and `other`."""
    for each in ("data", "other"):
        (folder / each).mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def jobs_of(folder: Path, content: str, name: str = "outhaul.toml") -> list[Job]:
    """The jobs of a configuration that is right."""
    return load(str(write(folder, content, name)), state=str(folder.parent / "no-state"))


def lines_of(folder: Path, content: str | bytes, name: str = "outhaul.toml") -> list[str]:
    """What is said of a configuration, with the folder as /base; nothing where it is right."""
    path = write(folder, content, name)
    try:
        load(str(path), state=str(folder.parent / "no-state"))
    except ConfigurationError as error:
        return [line.replace(f"{folder}/{name}", name).replace(str(folder), "/base") for line in error.problems]
    return []
