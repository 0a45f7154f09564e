#!/usr/bin/env bash
# The command line client: zokor cli.
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" cli "$@"
