#!/bin/sh
# install.sh DIRECTORY: puts outhaul there, from the wheels beside this script, without a network. Done once for each artifact:
# Greengrass runs this at every start. Needs Python 3.11 or later with pip, and nothing else of the machine.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$1

for python in ${OUTHAUL_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    "$python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$python && break
done
if [ -z "${found:-}" ]; then
    echo "outhaul: Python 3.11 or later with pip is needed; OUTHAUL_PYTHON may name it" >&2
    exit 1
fi

stamp="$(command -v "$found") $(cd "$here/wheels" && cksum ./* | cksum)"
[ "$(cat "$target/.installed" 2>/dev/null)" = "$stamp" ] && exit 0

rm -rf "$target.new" "$target.old"
mkdir -p "$target.new"
"$found" -m pip install --quiet --disable-pip-version-check --no-input --no-index --find-links "$here/wheels" \
    --target "$target.new/site" 'outhaul[greengrass]'
ln -s "$(command -v "$found")" "$target.new/python"
echo "$stamp" > "$target.new/.installed"
[ ! -e "$target" ] || mv "$target" "$target.old"
mv "$target.new" "$target"
rm -rf "$target.old"
