#!/bin/bash
# The program from outside: help, version, wrong arguments, --check. Usage: cmd_test.sh PATH_OF_ZOKOR
set -u
zokor=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset JVMFLAGS SERVER_JVMFLAGS ZOKOR_LOG_LEVEL
failed=0

# expect STATUS TEXT_IN_OUTPUT COMMAND...: runs, compares the exit status, looks for the text (fixed) in both streams.
expect() {
    local want=$1 text=$2 got out
    shift 2
    out=$("$@" 2>&1 </dev/null)
    got=$?
    if [ "$got" -ne "$want" ] || ! grep -qF -- "$text" <<<"$out"; then
        printf 'FAILED: %s\n  status %s, expected %s; expected text: %s\n%s\n' "$*" "$got" "$want" "$text" "$out"
        failed=1
    fi
}

printf 'dataDir=%s\nclientPort=2181\ntickTime=2000\nfoo=1\n' "$dir" >"$dir/good.cfg"
printf 'dataDir=%s\nclientPort=2181\n\ntickTime=abc\n' "$dir" >"$dir/bad.cfg"
printf 'dataDir=%s\nclientPort=1\ninitLimit=5\nsyncLimit=2\n' "$dir" >"$dir/many.cfg"
printf 'server.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4\n' >>"$dir/many.cfg"
echo 7 >"$dir/myid"

expect 0 "(compatible with Apache ZooKeeper 3.9.5)" "$zokor" --version
expect 0 "libuv" "$zokor" version
expect 2 "unexpected argument" "$zokor" version more
expect 0 "zokor server --help" "$zokor" --help
expect 2 "usage: zokor COMMAND" "$zokor"
expect 0 "usage: zokor bench" "$zokor" bench --help
expect 2 "there is no workload 'fly'" "$zokor" bench fly
expect 2 "unknown command 'servr'" "$zokor" servr
expect 2 "  server " "$zokor" servr
expect 0 "examples:" "$zokor" cli --help
expect 0 "examples:" "$zokor" server --help
expect 0 "tickTime=3000   (1..2147483647 ms)" "$zokor" server --help-config
expect 0 "| \`snapCount\` | \`100000\` |" "$zokor" server --help-config=markdown
expect 1 "cannot be written" bash -c "'$zokor' --help >/dev/full"
expect 2 "unknown option '--port'" "$zokor" server --port 1
expect 2 "too many arguments at 'e'" "$zokor" server 1 b c d e
expect 2 "none.cfg: cannot be read: no such file or entry" "$zokor" server "$dir/none.cfg"
expect 2 "$dir: cannot be read" "$zokor" server "$dir"
expect 2 "bad.cfg: line 4: tickTime: 'abc' is not a number (1..2147483647 ms)" "$zokor" server "$dir/bad.cfg"
expect 2 "-Dzookeeper.tickTime: '0' is out of range" "$zokor" server -Dzookeeper.tickTime=0
expect 2 "argument PORT: 'x'" "$zokor" server x "$dir"
expect 2 "myid" "$zokor" server "$dir/many.cfg"
expect 0 "tickTime=2000 minSessionTimeout=4000" "$zokor" server --check "$dir/good.cfg"
expect 0 "line 4: foo: unknown key, ignored" "$zokor" server --check "$dir/good.cfg"
expect 0 "clientPort=2182 clientPortAddress=*" "$zokor" server --check 2182 "$dir"
expect 0 "clientPort=2181 clientPortAddress=127.0.0.1" "$zokor" server --check
expect 0 "clientPort=7" env JVMFLAGS="-Xmx1g -Dzookeeper.clientPort=7" "$zokor" server --check
expect 0 "" env ZOKOR_LOG_LEVEL=error "$zokor" server --check
expect 2 "ZOKOR_LOG_LEVEL: 'loud' is not known" env ZOKOR_LOG_LEVEL=loud "$zokor" server --check
out=$(ZOKOR_LOG_LEVEL=error "$zokor" server --check "$dir/good.cfg" 2>&1)
[ -z "$out" ] || { echo "FAILED: level error shows: $out"; failed=1; }
out=$("$zokor" server --check "$dir/good.cfg" 2>&1 | head -1)
[[ $out =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z\ INFO\ \ server\.config\ version= ]] ||
    { echo "FAILED: shape of a log line: $out"; failed=1; }
# The journal gets priorities; a name that other streams have inherited means nothing.
for stream in "$(touch "$dir/journal" && stat -c %d:%i "$dir/journal")" 1:2 x; do
    JOURNAL_STREAM=$stream "$zokor" server --check "$dir/good.cfg" 2>"$dir/journal"
    want='^20'
    [ "$stream" = "$(stat -c %d:%i "$dir/journal")" ] && want='^<[46]>20'
    [ -s "$dir/journal" ] && ! grep -qv "$want" "$dir/journal" ||
        { echo "FAILED: JOURNAL_STREAM=$stream: $(cat "$dir/journal")"; failed=1; }
done
exit $failed
