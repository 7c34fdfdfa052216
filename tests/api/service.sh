# Sourced by the checks that ask a running service: a directory of thirty users, and a configuration that leads to it, in a folder
# of its own. All of it ends with the script. `program` is the program; `emulate` and `serve` are called in that order.

folder=$(mktemp -d)
pids=()
finish() {
    # Only what was started here is ended.
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap finish EXIT
export WHOWAS_SECRET=emulator-secret

# emulate: the directory, and whowas.toml in the present folder, which is the new one from here on.
emulate() {
    cd "$folder"
    "$program" emulate --listen 127.0.0.1:0 --users 30 >emulator.out 2>emulator.err &
    pids+=($!)
    for _ in $(seq 100); do [ -s emulator.out ] && break; sleep 0.1; done
    local graph
    graph=$(tail -1 emulator.out)
    cat >whowas.toml <<TOML
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
TOML
}

# token ROLE: prints a new token.
token() {
    "$program" --output json token add --role "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}

# serve [OPTIONS]: the service; its place is in `url` from then on, and what it says in service.err.
serve() {
    "$program" serve --listen 127.0.0.1:0 "$@" >service.out 2>service.err &
    pids+=($!)
    for _ in $(seq 100); do grep -q '^listening on ' service.err && break; sleep 0.1; done
    url=$(sed -n 's/^listening on //p' service.err)
}
