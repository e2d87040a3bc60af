#!/bin/sh
# Installs what a lock file names, and nothing else, into the folder `packages`: `packages.sh LOCK`.
#
# All of it is wheels for TARGETARCH (BuildKit's name of an architecture), so a machine of another one needs no emulator.
set -eu
case "${TARGETARCH:-}" in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *)
        echo "packages.sh: TARGETARCH is '${TARGETARCH:-}'; allowed: amd64, arm64 (BuildKit sets it from --platform)" >&2
        exit 1
        ;;
esac
# pip takes a platform literally: these are the manylinux standards up to a glibc of 2.28, which Debian has since 10.
set -- --requirement "$1"
for standard in manylinux2014 manylinux_2_17 manylinux_2_24 manylinux_2_26 manylinux_2_27 manylinux_2_28; do
    set -- "$@" --platform "${standard}_${machine}"
done
exec python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-cache-dir \
    --require-hashes --no-deps --only-binary :all: --target packages "$@"
