# Sourced by the other scripts: finds the program and the configuration, as Apache ZooKeeper's scripts find theirs.
# shellcheck shell=bash
#
#   ZOKOR         the program (default: beside the scripts, in ../bin, ../../../bin or ../build/release, or in PATH)
#   ZOOCFGDIR     where zoo.cfg is (default: ../conf, else /etc/zookeeper/conf, else /etc/zokor); also: --config DIR first
#   ZOOCFG        the name of the file there (default: zoo.cfg)
#   ZOO_LOG_DIR   where the server's output goes (default: /var/log/zookeeper or /var/log/zokor, which can be written,
#                 else ../logs)

if [ $# -gt 1 ] && [ "$1" = "--config" ]; then
    ZOOCFGDIR=$2
    shift 2 # the script that sources this one goes on with the rest
fi
if [ -z "${ZOOCFGDIR:-}" ]; then
    if [ -d "$ZOOBINDIR/../conf" ]; then
        ZOOCFGDIR=$ZOOBINDIR/../conf
    elif [ -d /etc/zookeeper/conf ] || [ ! -d /etc/zokor ]; then
        ZOOCFGDIR=/etc/zookeeper/conf
    else
        ZOOCFGDIR=/etc/zokor
    fi
fi
if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then
    . "$ZOOCFGDIR/zookeeper-env.sh"
fi
ZOOCFG=$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}
if [ -f "$ZOOCFGDIR/java.env" ]; then
    . "$ZOOCFGDIR/java.env"
fi
if [ -z "${ZOO_LOG_DIR:-}" ]; then
    ZOO_LOG_DIR=$ZOOBINDIR/../logs
    for candidate in /var/log/zookeeper /var/log/zokor; do
        if [ -w "$candidate" ]; then
            ZOO_LOG_DIR=$candidate
            break
        fi
    done
fi
# The program takes its -D words from these by itself.
export JVMFLAGS="${JVMFLAGS:-}" SERVER_JVMFLAGS="${SERVER_JVMFLAGS:-}" CLIENT_JVMFLAGS="${CLIENT_JVMFLAGS:-}"

if [ -z "${ZOKOR:-}" ]; then
    for candidate in "$ZOOBINDIR/zokor" "$ZOOBINDIR/../bin/zokor" "$ZOOBINDIR/../../../bin/zokor" \
        "$ZOOBINDIR/../build/release/zokor"; do
        if [ -x "$candidate" ] && [ -f "$candidate" ]; then
            ZOKOR=$candidate
            break
        fi
    done
    ZOKOR=${ZOKOR:-$(command -v zokor || true)}
fi
if [ -z "$ZOKOR" ]; then
    echo "The program zokor is not found beside $ZOOBINDIR or in PATH; set ZOKOR=/path/to/zokor." >&2
    exit 1
fi

# zoo_value KEY: its value in zoo.cfg, blanks at both ends cut; the last of several lines; nothing without one.
zoo_value() {
    sed -n -e "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" "$ZOOCFG" 2>/dev/null | sed -e 's/[[:space:]]*$//' |
        tail -n 1
}
