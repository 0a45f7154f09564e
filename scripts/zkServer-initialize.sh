#!/usr/bin/env bash
# Makes the directories of a new server: zokor init [--configfile=FILE] [--myid=ID] [--force].
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" init --configfile="$ZOOCFG" "$@"
