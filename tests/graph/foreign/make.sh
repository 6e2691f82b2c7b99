#!/usr/bin/env bash
# Writes the files of this directory: see README.md. Run in a directory with a copy of these scripts and of
# node_modules. PYTHON and COLLECTOR: a Python with the SDK, and a Collector with the file exporter. ENGINE, ROTEL, FRONT and
# TABLES: a Python with chdb-core, rotel-agent, tests/store/front.py, and a file with the statements of *The tables* in
# docs/clickhouse.md.
set -euo pipefail
port=$((20000 + RANDOM % 10000))

capture() { # DIRECTORY COMMAND…: what the command sends
    node receive.mjs "$port" "$1" &
    local receiver=$!
    sleep 1
    "${@:2}"
    kill "$receiver"
    wait "$receiver" || true
}
endpoint=http://127.0.0.1:$port
capture plain "$PYTHON" checkout.py "$endpoint" none
capture gzip "$PYTHON" checkout.py "$endpoint" gzip
capture json node storefront.mjs "$endpoint" json
capture proto node storefront.mjs "$endpoint" proto
cat plain/traces >python.traces.pb
cat plain/logs >python.logs.pb
cat gzip/traces gzip/logs >python.pb.gz
cat json/traces json/logs >javascript.json
cat proto/traces >javascript.traces.pb
cat proto/logs >javascript.logs.json

PORT=$port "$COLLECTOR" --config collector.yaml 2>collector.log &
collector=$!
sleep 2
"$PYTHON" checkout.py "$endpoint" gzip
node storefront.mjs "$endpoint" json
kill "$collector"
wait "$collector"
# As the exporter writes with the feature gate exporter.file.nativeCompression: streams around the lines.
{ head -2 collector.jsonl | zstd -c; tail -n +3 collector.jsonl | zstd -c --check; } >collector.lines.zst

# The same messages as rows.
mkdir engine
"$ENGINE" "$FRONT" engine $((port + 1)) &
front=$!
"$ROTEL" start --pid-file engine/pid --otlp-http-endpoint "127.0.0.1:$((port + 2))" --otlp-grpc-endpoint "127.0.0.1:$((port + 3))" \
    --exporter clickhouse --clickhouse-exporter-endpoint "http://127.0.0.1:$((port + 1))" --clickhouse-exporter-compression none &
rotel=$!
sleep 3
ask() { curl -sS --data-binary "$1" "http://127.0.0.1:$((port + 1))/"; }
while IFS= read -r -d ';' statement; do ask "$statement"; done <"$TABLES"
while IFS= read -r message; do
    case $message in *resourceSpans*) signal=traces ;; *) signal=logs ;; esac
    curl -sS --json "$message" "http://127.0.0.1:$((port + 2))/v1/$signal"
done <collector.jsonl
sleep 2
for signal in traces logs; do
    ask "SELECT * FROM otel.otel_$signal FORMAT JSONEachRow" >"clickhouse.$signal.jsonl"
done
kill "$rotel" "$front"
wait "$rotel" "$front" || true
