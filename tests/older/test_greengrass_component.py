"""The component as it is built and deployed: recipe, GDK configuration, artifact, installation, and a run from there.

GDK itself is not run here: it is on no package registry. What its custom builds have to make, and where, is held against
its documentation ("GDK CLI configuration file").
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from outhaul.config import formats
from outhaul.config.profiles import greengrass, recognised
from outhaul.config.profiles.profile import Surroundings
from servers.server import Server
from servers.token_exchange import token_exchange

ROOT = Path(__file__).parents[2] / "greengrass"
NAME = "dev.outhaul.S3FileUploader"


@pytest.fixture
def recipe() -> dict[str, Any]:
    """The recipe as it is in the repository."""
    found = yaml.safe_load((ROOT / "recipe.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_the_recipe_has_what_greengrass_asks_for(recipe: dict[str, Any]) -> None:
    """Its keys are those of the recipe reference; the parameters are those of the former component, and `Via`."""
    assert (recipe["RecipeFormatVersion"], recipe["ComponentName"]) == ("2020-01-25", NAME)
    assert re.fullmatch(r"\d+\.\d+\.\d+", recipe["ComponentVersion"])
    parameters = recipe["ComponentConfiguration"]["DefaultConfiguration"]
    assert list(greengrass.PARAMETERS) == list(parameters)
    assert [str] * 6 == [type(value) for value in parameters.values()]
    assert (parameters["Interval"], parameters["LogLevel"], parameters["Via"]) == ("1", "INFO", "S3")
    needed = {name: each["DependencyType"] for name, each in recipe["ComponentDependencies"].items()}
    assert needed == {"aws.greengrass.TokenExchangeService": "HARD", "aws.greengrass.StreamManager": "SOFT"}
    (manifest,) = recipe["Manifests"]
    assert set(manifest) == {"Platform", "Artifacts", "Lifecycle"}
    assert [(artifact["URI"].rpartition("/")[2], artifact["Unarchive"]) for artifact in manifest["Artifacts"]] == [
        ("outhaul-greengrass.zip", "ZIP")
    ]
    assert set(manifest["Lifecycle"]) == {"Install", "Run"}


def test_what_is_run_is_given_all_parameters_in_order(recipe: dict[str, Any]) -> None:
    """Each in single quotes: what the shell would make something of is a name here."""
    script = recipe["Manifests"][0]["Lifecycle"]["Run"]["Script"]
    assert list(greengrass.PARAMETERS) == re.findall(r"'\{configuration:/(\w+)\}'", script)
    assert script.startswith("exec ")


def test_the_recipe_is_a_configuration(recipe: dict[str, Any]) -> None:
    """`outhaul run recipe.yaml` knows it by its content, with the parameters as its defaults have them."""
    document = formats.read(str(ROOT / "recipe.yaml"))
    profile = recognised(document.tree)
    assert profile is greengrass.PROFILE
    made = profile.compile(document, Surroundings({}, "/root", "/"))
    assert (made.problems, made.tree["job"][0]["source"]) == ([], "/path/to/files")


def test_the_configuration_of_gdk(recipe: dict[str, Any]) -> None:
    """One component, of the recipe's name, built by a command that is there."""
    config = json.loads((ROOT / "gdk-config.json").read_text())
    assert set(config) == {"component", "gdk_version"}
    ((name, component),) = config["component"].items()
    assert (name, component["author"]) == (recipe["ComponentName"], recipe["ComponentPublisher"])
    assert set(component) == {"author", "version", "build", "publish"}
    assert component["version"] == "NEXT_PATCH"
    assert component["build"]["build_system"] == "custom"
    assert (ROOT / component["build"]["custom_build_command"][-1]).exists()
    assert set(component["publish"]) == {"bucket", "region"}


def build(tmp_path: Path, *options: str) -> Path:
    """Build, and what was made."""
    subprocess.run(
        [sys.executable, str(ROOT / "build.py"), "--build", str(tmp_path / "made"), *options],
        check=True, cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    return tmp_path / "made"


def test_the_build_makes_what_gdk_looks_for(tmp_path: Path) -> None:
    """A recipe, and an archive under the name of the component; twice the same bytes."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "outhaul-0-py3-none-any.whl").write_bytes(b"a wheel")
    made = build(tmp_path, "--wheels", str(tmp_path / "wheels"))
    archive = made / "artifacts" / NAME / "NEXT_PATCH" / "outhaul-greengrass.zip"
    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["wheels/outhaul-0-py3-none-any.whl", "install.sh", "run.sh"]
    built = yaml.safe_load((made / "recipes" / "recipe.yaml").read_text())
    assert (built["ComponentName"], built["ComponentVersion"]) == (NAME, "NEXT_PATCH")
    first = archive.read_bytes()
    build(tmp_path, "--wheels", str(tmp_path / "wheels"))
    assert archive.read_bytes() == first


@pytest.mark.slow
def test_from_the_artifact_to_the_bucket(tmp_path: Path, rclone_server: Server) -> None:
    """Built with what pip fetches, installed without a network, run as the recipe says: a file arrives, and goes."""
    archive = build(tmp_path) / "artifacts" / NAME / "NEXT_PATCH" / "outhaul-greengrass.zip"
    unpacked, work, source = tmp_path / "unpacked", tmp_path / "a work directory", tmp_path / "it's $HOME"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(unpacked)
    work.mkdir()
    source.mkdir()
    program, environ = str(work / "program"), {"PATH": os.environ["PATH"], "OUTHAUL_PYTHON": sys.executable}
    for _ in range(2):  # Greengrass installs at every start.
        subprocess.run(["sh", str(unpacked / "install.sh"), program], check=True, env=environ, timeout=300)
    (source / "a.csv").write_text("content")
    (source / "b.csv").write_text("newest")
    bucket = rclone_server.make_bucket()
    with token_exchange(rclone_server) as tokens:
        process = subprocess.Popen(
            ["sh", str(unpacked / "run.sh"), program, "--state", str(work / "outhaul"), "--",
             f"{source}/*.csv", bucket, "", "1", "INFO", "S3"],
            env=environ | tokens.environ | {"AWS_ENDPOINT_URL": rclone_server.endpoint_url, "HOME": str(tmp_path)},
            cwd=work,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while (source / "a.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.terminate()
        assert process.wait(10) == 0
    assert sorted(path.name for path in source.glob("*.csv")) == ["b.csv"]
    with rclone_server.client() as client:
        assert client.get(bucket, "a.csv") == b"content"
