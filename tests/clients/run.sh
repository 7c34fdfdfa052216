#!/usr/bin/env bash
# Makes a Python and a TypeScript client of docs/openapi.json and uses each once against a running service. Takes the program;
# all that is installed or made lies below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "$1")
here=$PWD/tests/clients
made=$PWD/target/clients
document=$PWD/docs/openapi.json
mkdir -p "$made/ts"

# Python. A part of the document that the generator cannot use fails here.
if ! cmp -s "$here/requirements.txt" "$made/requirements.txt"; then
    rm -rf "$made/venv"
    python3 -m venv "$made/venv"
    "$made/venv/bin/pip" install --quiet --cache-dir "$PWD/target/pip-cache" -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$made/"
fi
"$made/venv/bin/openapi-python-client" generate --path "$document" --config "$here/python.yml" \
    --output-path "$made/python" --overwrite --fail-on-warning

# TypeScript.
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$here/tsconfig.json" "$here/use.ts" "$made/ts/"
npm ci --prefix "$made/ts" --cache target/npm-cache --silent
# What a request may leave out has a default, and an answer has it all the same.
"$made/ts/node_modules/.bin/openapi-typescript" "$document" --default-non-nullable false \
    --output "$made/ts/schema.d.ts" >/dev/null
"$made/ts/node_modules/.bin/tsc" --project "$made/ts"

# A directory of thirty users, and a service that has read it.
. tests/api/service.sh
emulate
"$program" --output json sync >/dev/null
WHOWAS_TOKEN=$(token admin)
WHOWAS_AGENT_TOKEN=$(token agent)
serve --no-schedule
WHOWAS_URL=$url
# Somebody of the directory, as the journal's first facts have them.
WHOWAS_OBJECT=$(WHOWAS_TOKEN=$WHOWAS_TOKEN python3 - "$WHOWAS_URL/v1/tenants/emulated/journal" <<'PYTHON'
import json, os, sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["WHOWAS_TOKEN"]})
with urllib.request.urlopen(request) as answer:
    facts = [fact for line in answer for fact in json.loads(line)["facts"]]
print(next(fact["object"] for fact in facts if "object" in fact))
PYTHON
)
export WHOWAS_URL WHOWAS_TOKEN WHOWAS_AGENT_TOKEN WHOWAS_OBJECT

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$made/python" "$made/venv/bin/python" "$here/use.py"
node "$made/ts/made/use.js"
