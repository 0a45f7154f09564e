#!/usr/bin/env bash
# Removes old snapshots and logs: zkCleanup.sh -n COUNT takes the directories from zoo.cfg.
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
case ${1:-} in
    -h | --help | "" | [!-]*) exec "$ZOKOR" purge "$@" ;;
esac
data=$(zoo_value dataDir)
logs=$(zoo_value dataLogDir)
if [ -z "$data" ]; then
    echo "Unable to determine dataDir from $ZOOCFG" >&2
    exit 1
fi
if [ -z "$logs" ]; then
    exec "$ZOKOR" purge "$data" "$@"
fi
exec "$ZOKOR" purge "$logs" "$data" "$@"
