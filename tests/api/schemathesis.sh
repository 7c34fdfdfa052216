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
folder=$(mktemp -d)
pids=()
finish() {
    # Only what was started here is ended.
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
export WHOWAS_SECRET=emulator-secret

"$program" emulate --listen 127.0.0.1:0 --users 30 >emulator.out 2>emulator.err &
pids+=($!)
for _ in $(seq 100); do [ -s emulator.out ] && break; sleep 0.1; done
graph=$(tail -1 emulator.out)
cat >whowas.toml <<EOF
[ledger]
path = "ledger"
[server]
requests_per_second = 100000
burst = 100000
[[tenant]]
id = "0e1d6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11"
alias = "emulated"
client_id = "c11e0001-58f4-4c1b-9d2e-7a5f0c9b8e11"
credential = { secret_env = "WHOWAS_SECRET" }
graph_url = "$graph"
login_url = "$graph"
EOF
token=$("$program" --output json token add --role admin | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
"$program" serve --listen 127.0.0.1:0 >service.out 2>service.err &
pids+=($!)
for _ in $(seq 100); do grep -q '^listening on ' service.err && break; sleep 0.1; done
url=$(sed -n 's/^listening on //p' service.err)
# Something to look at: a chain, whose snapshots have ids as the requests that are made up may have.
for snapshot in 0 1; do
    curl -sf -o /dev/null -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        -d "{\"chain\":\"0\",\"snapshot\":\"$snapshot\",\"from\":\"2026-01-01T00:00:00Z\",\"until\":\"2026-01-01T00:0$snapshot:00Z\",\"name\":\"user00001@x.test\"}" \
        "$url/v1/tenants/emulated/snapshots"
done
# What a schema allows may still be refused: that a read ends after it begins, or that a name excludes an object, is beyond it.
SCHEMATHESIS_HOOKS=whowas_hooks PYTHONPATH="$OLDPWD/tests/api" "$venv/bin/schemathesis" \
    --config-file "$OLDPWD/tests/api/schemathesis.toml" run "$url/openapi.json" \
    --header "Authorization: Bearer $token" --exclude-checks positive_data_acceptance --max-examples "${WHOWAS_EXAMPLES:-40}" --seed 1 --workers 1 \
    --generation-database none
if grep -q panicked service.err; then
    cat service.err
    exit 1
fi
