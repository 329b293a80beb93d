"""The options that say how an S3 store is reached, and what the objects of `move` and `copy` are given beside their bytes.

The names are those of the keys in a configuration; `config/` judges the values.
"""

from __future__ import annotations

import argparse


def connection_options() -> argparse.ArgumentParser:
    """Options that every command has which talks to a store."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--endpoint-url", metavar="URL", default="", help="an S3 store that is not AWS")
    options.add_argument("--profile", metavar="NAME", default="", help="named profile of the shared AWS files")
    options.add_argument("--region", metavar="NAME", default="", help="region of the bucket")
    options.add_argument("--bucket-owner", metavar="ACCOUNT", default="", help="account that the bucket must belong to")
    options.add_argument("--requester-pays", action="store_true", help="this account pays for the requests")
    options.add_argument("--accelerate", action="store_true", help="through AWS Transfer Acceleration")
    options.add_argument("--dual-stack", action="store_true", help="to the AWS endpoint that has IPv6 too")
    options.add_argument("--fips", action="store_true", help="to the AWS endpoint with FIPS 140 cryptography")
    options.add_argument("--ca-file", metavar="FILE", default="", help="certificates to trust")
    options.add_argument("--proxy", metavar="URL", default="", help="forward proxy, such as http://proxy:3128")
    options.add_argument(
        "--sse-c-key-file", metavar="FILE", default="", help="key that the store encrypts objects with"
    )
    return options


def add_object_options(command: argparse.ArgumentParser) -> None:
    """Options that say what objects are given."""
    add = command.add_argument_group("objects of S3").add_argument
    add("--storage-class", metavar="CLASS", help="such as STANDARD_IA, or DEEP_ARCHIVE")
    add("--content-type", metavar="TYPE", help="such as text/csv; or auto, by the name")
    add("--metadata", metavar="NAME=VALUE", action="append", default=[], help="user metadata; may be repeated")
    add("--tag", metavar="NAME=VALUE", action="append", default=[], help="tag; may be repeated")
    add("--encryption", metavar="KIND", help="AES256 (SSE-S3), aws:kms (SSE-KMS) or aws:kms:dsse")
    add("--kms-key", metavar="KEY", help="id, alias or ARN of the KMS key")
    add("--bucket-key", action="store_true", help="let a key of the bucket stand in for calls of KMS")
    add("--lock-mode", metavar="MODE", help="Object Lock: governance or compliance")
    add("--lock-keep", metavar="TIME", help="for how long, such as 30d")
    add("--legal-hold", action="store_true", help="Object Lock: keep it until the hold is taken away")
