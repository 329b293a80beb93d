#!/usr/bin/env python3
"""Build the Greengrass component: what `gdk component build` calls, and what can be called without it.

It makes `greengrass-build/recipes/recipe.yaml` and `greengrass-build/artifacts/NAME/VERSION/outhaul-greengrass.zip`, where GDK
looks for what a custom build has made. The archive holds outhaul and everything it needs as wheels, so that no device
needs a package registry. Wheels are of one platform and one version of Python: by default those of this machine.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARCHIVE = "outhaul-greengrass"
SCRIPTS = ("install.sh", "run.sh")


def main(arguments: list[str]) -> int:
    """Build it; the exit code."""
    options = _options(arguments)
    ((name, config),) = json.loads((HERE / "gdk-config.json").read_text())["component"].items()
    artifacts = options.build / "artifacts" / name / config["version"]
    recipes = options.build / "recipes"
    for directory in (artifacts, recipes):
        directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            wheels = options.wheels or _fetched(Path(scratch), options)
        except subprocess.CalledProcessError as error:  # pip has said why.
            print(f"build.py: pip could not fetch the wheels (exit code {error.returncode})", file=sys.stderr)
            return 1
        archive = artifacts / f"{ARCHIVE}.zip"
        _pack(archive, wheels)
    (recipes / "recipe.yaml").write_text(_recipe(name, config))
    print(f"{archive}: {archive.stat().st_size / (1 << 20):.1f} MiB")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the Greengrass component of outhaul.")
    parser.add_argument("--build", type=Path, default=HERE / "greengrass-build", help="where to (default: %(default)s)")
    parser.add_argument(
        "--platform", action="append", help="of the device, such as manylinux_2_28_aarch64; may be repeated"
    )
    parser.add_argument("--python-version", help="of the device, such as 3.11; with --platform")
    parser.add_argument("--wheels", type=Path, help="a directory of wheels to take instead of fetching them")
    return parser.parse_args(arguments)


def _fetched(scratch: Path, options: argparse.Namespace) -> Path:
    """outhaul from this checkout, and what it needs from the registry that pip is set up for."""
    wheels = scratch / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, HERE.parent], check=True)
    (own,) = wheels.glob("outhaul-*.whl")
    target = [f"--platform={each}" for each in options.platform or ()]
    if options.python_version:
        target.append(f"--python-version={options.python_version}")
    subprocess.run(
        [*pip, "download", "--only-binary=:all:", *target, "--dest", wheels, f"{own}[greengrass]"], check=True
    )
    return wheels


def _pack(archive: Path, wheels: Path) -> None:
    """Always the same bytes from the same files."""
    members = [(f"wheels/{wheel.name}", wheel) for wheel in sorted(wheels.glob("*.whl"))]
    members += [(name, HERE / name) for name in SCRIPTS]
    with zipfile.ZipFile(archive, "w") as packed:
        for name, path in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            with path.open("rb") as source, packed.open(info, "w") as member:
                shutil.copyfileobj(source, member)


def _recipe(name: str, config: dict[str, str]) -> str:
    """The recipe with name, version and author as gdk-config.json has them; GDK puts bucket and version into the URI."""
    recipe = (HERE / "recipe.yaml").read_text()
    for key, value in (
        ("ComponentName", name), ("ComponentVersion", config["version"]), ("ComponentPublisher", config["author"]),
    ):  # fmt: skip
        before, _, after = re.split(rf"(?m)^({key}: .*)$", recipe)
        recipe = f"{before}{key}: {json.dumps(value)}{after}"
    return recipe


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
