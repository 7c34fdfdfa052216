#!/usr/bin/env bash
# Holds a running service against its own document: schemathesis makes up requests, right and wrong ones, and looks at every
# answer. Takes the program; installs schemathesis below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "$1")
venv=$PWD/target/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --cache-dir "$PWD/target/pip-cache" -r tests/api/requirements.txt
fi
. tests/api/service.sh
here=$PWD/tests/api
emulate
token=$(token admin)
serve
# Something to look at: a chain, whose snapshots have ids as the requests that are made up may have.
for snapshot in 0 1; do
    curl -sf -o /dev/null -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        -d "{\"chain\":\"0\",\"snapshot\":\"$snapshot\",\"from\":\"2026-01-01T00:00:00Z\",\"until\":\"2026-01-01T00:0$snapshot:00Z\",\"name\":\"user00001@x.test\"}" \
        "$url/v1/tenants/emulated/snapshots"
done
# What a schema allows may still be refused: that a read ends after it begins, or that a name excludes an object, is beyond it.
SCHEMATHESIS_HOOKS=whowas_hooks PYTHONPATH="$here" "$venv/bin/schemathesis" \
    --config-file "$here/schemathesis.toml" run "$url/openapi.json" \
    --header "Authorization: Bearer $token" --exclude-checks positive_data_acceptance --max-examples "${WHOWAS_EXAMPLES:-40}" --seed 1 --workers 1 \
    --generation-database none
if grep -q panicked service.err; then
    cat service.err
    exit 1
fi
