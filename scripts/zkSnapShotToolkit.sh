#!/usr/bin/env bash
# Shows a snapshot: zokor snap show [-d|-json] FILE.
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" snap show "$@"
