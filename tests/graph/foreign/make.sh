#!/usr/bin/env bash
# Writes the files of this directory: see README.md. Run in a directory with a copy of these scripts and of
# node_modules. PYTHON and COLLECTOR: a Python with the SDK, and a Collector with the file exporter.
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
