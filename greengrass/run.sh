#!/bin/sh
# run.sh DIRECTORY ARGUMENTS: starts what install.sh has put there, in the place of this shell, so that signals reach it.
set -eu

program=$1
shift
PYTHONPATH="$program/site" exec "$program/python" "$program/site/bin/outhaul-greengrass" "$@"
