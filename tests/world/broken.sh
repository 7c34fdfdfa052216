#!/bin/sh
# Breaks one rule of the product at a time, in a scratch copy under the target folder, and plays 200 worlds against it: each
# must be caught. `tests/world/broken.sh [PATCH…]`; `docs/WORLDS.md` tells what came of it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
copy=$target/broken-rules
missed=0
[ $# -gt 0 ] || set -- "$root"/tests/world/broken/*.patch
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    rm -rf "$copy" && mkdir -p "$copy"
    (cd "$root" && tar cf - Cargo.toml Cargo.lock src templates scenarios tests benches examples README.md) | (cd "$copy" && tar xmf -)
    (cd "$copy" && patch -s -p1 < "$patch")
    # The copy is as new as can be, or cargo would take a file put back for an old one. A target folder of its own would compile every dependency anew.
    if (cd "$copy" && CARGO_TARGET_DIR=$target cargo build -q --example worlds); then
        if "$target"/debug/examples/worlds --seeds 200 > "$copy/out" 2> "$copy/err"; then
            echo "$name: NOT CAUGHT in 200 worlds"
            missed=1
        else
            echo "$name: caught: $(grep -m1 '^world ' "$copy/err" | cut -c1-160)"
        fi
    else
        echo "$name: does not compile"
        missed=1
    fi
done
# The next build must not take the broken library for the project's own.
touch "$root/src/lib.rs"
exit $missed
