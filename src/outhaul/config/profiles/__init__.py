"""The older programs that outhaul takes the place of. Which of them a configuration is for, its content tells."""

from __future__ import annotations

from importlib import import_module

from outhaul.config.profiles.profile import Profile

_MODULES = ("archive_upload", "s3_uploader", "greengrass", "c3")


def recognised(tree: object) -> Profile | None:
    """The profile that a tree is for; None where it is none of theirs: a list of jobs is outhaul's own."""
    if not isinstance(tree, dict) or isinstance(tree.get("job"), list):
        return None
    profiles = (import_module(f"{__name__}.{module}").PROFILE for module in _MODULES)
    return next((profile for profile in profiles if profile.recognises(tree)), None)
