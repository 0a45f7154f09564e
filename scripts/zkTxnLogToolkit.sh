#!/usr/bin/env bash
# Shows or repairs a transaction log: zokor log toolkit [-dhrvyc] FILE [-z ZXID].
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" log toolkit "$@"
