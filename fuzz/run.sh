#!/usr/bin/env bash
# Fuzzes each grammar for a fixed time:  fuzz/run.sh [SECONDS per target, default 30] [TARGET...]
# Exit status 1 on a crash; the input that did it is then in fuzz/artifacts.
#
# The targets are libFuzzer programs built by the ordinary stable compiler with coverage instrumentation. There is no
# unsafe code to sanitize. Where they cannot be built (no C++ compiler, no network for libfuzzer-sys), the property
# tests of the same grammars run instead, for many cases, and the script says so.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-30}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(mime imap smtp pop3 icalendar vcard dav)
host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${FUZZ_TARGET_DIR:-target}

flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"

# --target keeps the instrumentation out of build scripts.
if ! CARGO_TARGET_DIR=$target_dir RUSTFLAGS=$flags cargo build -q --release --target "$host"; then
    echo "fuzz: the instrumented build failed; running the property tests instead" >&2
    cd ..
    PROPTEST_CASES=${PROPTEST_CASES:-5000} exec cargo test -q -p kontor-model -p kontor-imap-proto \
        -p kontor-smtp-proto -p kontor-pop3-proto -p kontor-dav-proto
fi

mkdir -p artifacts
status=0
for name in "${targets[@]}"; do
    # New inputs go into the first folder; the seeds stay as they are.
    corpus=$target_dir/corpus/$name
    mkdir -p "$corpus"
    dictionary=()
    [ -f "seeds/$name.dict" ] && dictionary=("-dict=seeds/$name.dict")
    samples=()
    case $name in
        icalendar) samples=(../model/tests/calendar) ;;
        vcard) samples=(../model/tests/contacts) ;;
    esac
    log=$target_dir/$name.log
    if "$target_dir/$host/release/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
        -artifact_prefix="artifacts/$name-" "${dictionary[@]}" "$corpus" "seeds/$name" \
        "${samples[@]}" >"$log" 2>&1; then
        echo "fuzz: $name: $(grep -E '^Done ' "$log" || tail -n 1 "$log")"
    else
        echo "fuzz: $name crashed; its input is in fuzz/artifacts" >&2
        tail -n 40 "$log" >&2
        status=1
    fi
done
exit $status
