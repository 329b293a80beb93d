"""`policy`: print the least IAM policy that the jobs of a configuration need."""

from __future__ import annotations

import argparse
import json
import os
import sys

from outhaul.frontends.cli.carry import chosen, configured
from outhaul.model.errors import ConfigurationError
from outhaul.model.job import Job
from outhaul.model.keys import printable
from outhaul.stores.s3_policy import MANAGED_POLICY_MAX, characters, policy
from outhaul.wiring import at_its_endpoint


def print_policy(options: argparse.Namespace) -> int:
    """The policy on standard output; what has to be known beside it on standard error."""
    configuration = configured(options)
    jobs, fleet = chosen(configuration.jobs, options.job), configuration.fleet
    asking = [at_its_endpoint(job) for job in jobs if not _why_none(job)]
    for job in jobs:
        if why := _why_none(job):
            print(printable(f'outhaul: job "{job.name}" needs no policy: {why}'), file=sys.stderr)
    if not asking and not (fleet and fleet.destination.kind == "s3"):
        raise ConfigurationError("no job sends requests to S3, so there is no policy to print")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
    found = policy(asking, options.purpose, region, fleet)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    if (length := characters(found)) > MANAGED_POLICY_MAX:
        said = f"it has {length:,} characters, and IAM takes {MANAGED_POLICY_MAX:,} for a managed policy"
        print(f"outhaul: {said}: make one for some jobs, with --job", file=sys.stderr)
    return 0


def _why_none(job: Job) -> str:
    """'' for a job that sends requests to S3 itself."""
    if job.destination.kind == "file":
        return "its files go to a directory"
    if job.via == "stream-manager":
        return "the role of the Greengrass core device is used; see docs/coming-from/greengrass-s3-file-uploader.md"
    return ""
