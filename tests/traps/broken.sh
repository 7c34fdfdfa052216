#!/bin/sh
# Takes the handling of one trap away at a time and runs its test, which must fail: `tests/traps/broken.sh [NAME…]`, for example
# `5a 27c`. `docs/TRAPS.md` says what is taken away under each number. All of it stands in one patch, behind switches, so that one
# build in a scratch copy under the target folder serves for all.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
copy=$target/broken-traps
[ $# -gt 0 ] || set -- 1 2 3a 3b 4 5a 5b 6 7 8 9 10 11a 11b 12 13 14a 14b 15a 15b 16a 16b 16c 17 18 19a 19b 19c 19d 20a 20b 21 22 \
    23a 23b 24a 24b 25a 25b 26 27a 27b 27c
rm -rf "$copy" && mkdir -p "$copy"
# The next build must not take the broken library for the project's own, however this one ends.
trap 'touch "$root/src/lib.rs"' EXIT
(cd "$root" && tar cf - Cargo.toml Cargo.lock src assets templates scenarios tests benches examples README.md) | (cd "$copy" && tar xmf -)
(cd "$copy" && patch -s -p1 < "$root/tests/traps/broken.patch")
# Unoptimised, which is quick to build and more than quick enough to run.
export CARGO_TARGET_DIR="$target" CARGO_PROFILE_DEV_OPT_LEVEL=0
test=$(cd "$copy" && cargo test -q --test traps --no-run --message-format=json |
    sed -n 's/.*"name":"traps".*"executable":"\([^"]*\)".*/\1/p')
export RUST_BACKTRACE=0
if ! (cd "$copy" && "$test" > "$copy/out" 2>&1); then
    echo "nothing is taken away, and a test fails all the same:"
    grep ' FAILED$' "$copy/out"
    exit 1
fi
missed=0
for name in "$@"; do
    number=$(printf '%02d' "${name%[abcd]}")
    if (cd "$copy" && BROKEN=$name "$test" "trap_$number" > "$copy/out" 2>&1); then
        echo "$name: NOT CAUGHT"
        missed=1
    else
        echo "$name: caught: $(grep -m1 -A1 ' panicked at ' "$copy/out" | sed 's/.* panicked at //' | tr '\n' ' ' | cut -c1-140)"
    fi
done
exit $missed
