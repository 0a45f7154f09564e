#!/usr/bin/env bash
# Starts, stops and asks a server, with the verbs, messages and exit codes of Apache ZooKeeper's script of this name.
#
#   zkServer.sh [--config DIR] {start|start-foreground|stop|version|restart|status|print-cmd} [ZOOCFG]
#
# ZOOCFG is a name in the configuration directory, or a path. Besides what zkEnv.sh tells:
#   ZOOPIDFILE                      where the process id is kept (default: dataDir/zookeeper_server.pid)
#   ZOO_DATADIR_AUTOCREATE_DISABLE  not empty: a missing data directory is an error
#   ZOO_NOEXEC                      not empty: start-foreground stays the parent of the server
#   ZOO_STOP_SECONDS                how long stop waits for the process to end (default 30)
#   SERVER_JVMFLAGS, JVMFLAGS       their -DKEY=VALUE words configure the server; CLIENT_JVMFLAGS those of status
ZOOBINDIR=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
. "$ZOOBINDIR/zkEnv.sh"

[ -z "${JMXPORT:-}" ] || echo "JMX is not available: ask mntr, the admin server or the metrics port instead" >&2

if [ -n "${2:-}" ]; then
    ZOOCFG=$ZOOCFGDIR/$2
    # A path rather than a name: the configuration directory has no part in it.
    [ "$(dirname "$ZOOCFG")" = "$ZOOCFGDIR" ] || ZOOCFG=$2
fi
echo "Using config: $ZOOCFG" >&2

ZOO_DATADIR=$(zoo_value dataDir)
ZOO_DATALOGDIR=$(zoo_value dataLogDir)
ZOO_DEFINES=()
if [ -n "${ZOO_DATADIR_AUTOCREATE_DISABLE:-}" ]; then
    if [ ! -d "$ZOO_DATADIR/version-2" ]; then
        echo "ZooKeeper data directory is missing at $ZOO_DATADIR fix the path or run initialize"
        exit 1
    fi
    if [ -n "$ZOO_DATALOGDIR" ] && [ ! -d "$ZOO_DATALOGDIR/version-2" ]; then
        echo "ZooKeeper txnlog directory is missing at $ZOO_DATALOGDIR fix the path or run initialize"
        exit 1
    fi
    ZOO_DEFINES=(-Dzookeeper.datadir.autocreate=false)
fi

ZOOPIDFILE=${ZOOPIDFILE:-$ZOO_DATADIR/zookeeper_server.pid}
host=${HOSTNAME:-$(uname -n)}
ZOO_OUT=$ZOO_LOG_DIR/zookeeper-${USER:-$(id -un)}-server-$host.out
ZOO_CMD=("$ZOKOR" server "${ZOO_DEFINES[@]}" "$ZOOCFG")

# A process that has ended but that nobody has waited for (process 1 of a container often does not) is not alive.
is_alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

start() {
    local pid
    echo -n "Starting zookeeper ... "
    if [ -f "$ZOOPIDFILE" ] && is_alive "$(cat "$ZOOPIDFILE")"; then
        echo "already running as process $(cat "$ZOOPIDFILE")."
        exit 1
    fi
    mkdir -p "$(dirname "$ZOOPIDFILE")" "$ZOO_LOG_DIR" || exit 1
    nohup "${ZOO_CMD[@]}" >"$ZOO_OUT" 2>&1 </dev/null &
    pid=$!
    if ! echo -n "$pid" >"$ZOOPIDFILE"; then
        kill "$pid"
        echo "FAILED TO WRITE PID"
        exit 1
    fi
    sleep 1
    if ! is_alive "$pid"; then
        echo "FAILED TO START"
        rm -f "$ZOOPIDFILE"
        tail -n 3 "$ZOO_OUT" >&2
        exit 1
    fi
    echo STARTED
}

stop() {
    local pid turns=$((${ZOO_STOP_SECONDS:-30} * 10))
    echo -n "Stopping zookeeper ... "
    if [ ! -f "$ZOOPIDFILE" ]; then
        echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
        return
    fi
    pid=$(cat "$ZOOPIDFILE")
    if kill "$pid" 2>/dev/null; then
        while is_alive "$pid" && [ $((turns--)) -gt 0 ]; do
            sleep 0.1
        done
    fi
    rm -f "$ZOOPIDFILE"
    if is_alive "$pid"; then
        echo "STOPPING (process $pid has not ended yet)"
    else
        echo STOPPED
    fi
}

# port_of TEXT: PORT, HOST:PORT or [IPV6]:PORT from a server line; sets clientPort and clientPortAddress.
port_of() {
    clientPort=${1##*:}
    if [[ $1 == *:* ]]; then
        clientPortAddress=${1%:*}
        clientPortAddress=${clientPortAddress#[}
        clientPortAddress=${clientPortAddress%]}
    fi
}

# The part behind ';' of this server's line in a file.
server_line_port() {
    sed -n -e "s/^[[:space:]]*server\.$1[[:space:]]*=.*;[[:space:]]*//p" "$2" 2>/dev/null | sed -e 's/[[:space:]]*$//' |
        tail -n 1
}

find_port() {
    local my_id found
    isSSL=false
    clientPortAddress=$(zoo_value clientPortAddress)
    clientPortAddress=${clientPortAddress:-localhost}
    clientPort=$(zoo_value clientPort)
    if ! [[ $clientPort =~ ^[0-9]+$ ]]; then
        clientPort=
        my_id=$(cat "$ZOO_DATADIR/myid" 2>/dev/null)
        if ! [[ $my_id =~ ^[0-9]+$ ]]; then
            echo "myid could not be determined, will not able to locate clientPort in the server configs."
        else
            found=$(server_line_port "$my_id" "$ZOOCFG")
            if [ -z "$found" ]; then
                echo "Client port not found in static config file. Looking in dynamic config file."
                found=$(server_line_port "$my_id" "$(zoo_value dynamicConfigFile)")
            fi
            if [ -n "$found" ]; then
                port_of "$found"
            else
                echo "Client port not found in the server configs"
            fi
        fi
    fi
    [ -z "$clientPort" ] || return 0
    echo "Client port not found. Looking for secureClientPort in the static config."
    clientPort=$(zoo_value secureClientPort)
    if [ -z "$clientPort" ]; then
        echo "Unable to find either secure or unsecure client port in any configs. Terminating."
        exit 1
    fi
    isSSL=true
    clientPortAddress=$(zoo_value secureClientPortAddress)
    clientPortAddress=${clientPortAddress:-localhost}
}

status() {
    local mode
    find_port
    echo "Client port found: $clientPort. Client address: $clientPortAddress. Client SSL: $isSSL."
    mode=$("$ZOKOR" status "$clientPortAddress" "$clientPort" srvr "$isSSL" 2>/dev/null | grep Mode)
    if [ -n "$mode" ]; then
        echo "$mode"
        return
    fi
    if [ "$isSSL" = true ]; then
        cat <<END
 
Note: We used secureClientPort ($clientPort) to establish connection, but we failed. The 'status'
  command establishes a client connection to the server to execute diagnostic commands. Please make sure you
  provided all the Client SSL connection related parameters in the CLIENT_JVMFLAGS environment variable! E.g.:
  CLIENT_JVMFLAGS="-Dzookeeper.ssl.trustStore.location=/tmp/ca.pem
  -Dzookeeper.ssl.keyStore.location=/tmp/client.pem" ./zkServer.sh status
 
END
    fi
    echo "Error contacting service. It is probably not running."
    exit 1
}

case ${1:-} in
    start) start ;;
    start-foreground)
        if [ -n "${ZOO_NOEXEC:-}" ]; then
            "${ZOO_CMD[@]}"
        else
            exec "${ZOO_CMD[@]}"
        fi
        ;;
    print-cmd)
        printf '%q ' "${ZOO_CMD[@]}"
        printf '> %q 2>&1 < /dev/null\n' "$ZOO_OUT"
        ;;
    print-classpath) echo ;; # there is none
    stop) stop ;;
    version) "$ZOKOR" --version ;;
    restart)
        stop
        start
        ;;
    status) status ;;
    *) echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2 ;;
esac
