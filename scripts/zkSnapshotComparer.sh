#!/usr/bin/env bash
# Compares two snapshots: zokor snap compare -l LEFT -r RIGHT -b BYTES -n NODES [-d] [-i].
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" snap compare "$@"
