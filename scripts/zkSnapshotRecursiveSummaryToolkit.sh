#!/usr/bin/env bash
# Sizes of a snapshot by subtree: zokor snap summary FILE PATH DEPTH.
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"
exec "$ZOKOR" snap summary "$@"
