#!/usr/bin/env bash
# Everything that proves Kontor right: formatting, lints, unit tests, whole-system tests, fuzzing for a fixed
# short time. Installs what it needs first (see setup.sh).
#
#   e2e/test.sh              all of it
#   e2e/test.sh e2e [ARGS]   only the whole-system tests; ARGS (`--test cluster`) choose among them
#
# KONTOR_E2E_MESSAGES   messages in the round-trip test (10000)
# KONTOR_FUZZ_SECONDS   seconds for each fuzz target (20)
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
target=${CARGO_TARGET_DIR:-$PWD/target}
# The programs under test are release builds; the tests that drive them need not be.
export KONTOR_BIN_DIR=$target/release
# An error says what went wrong and where; a stack of tokio's frames would push that out of what CI keeps.
export RUST_BACKTRACE=0

step() { printf '\n==> %s (after %d s)\n' "$*" "$SECONDS"; }

only=${1:-all}
[ $# -eq 0 ] || shift

step "set up"
bash e2e/setup.sh

if [ "$only" = all ]; then
  step "format"
  cargo fmt --all --check
  step "lints"
  cargo clippy --workspace --all-targets --locked -- -D warnings
  step "unit tests"
  cargo test --workspace --exclude kontor-e2e --locked
fi

step "build the programs"
cargo build --release --bins --locked

step "whole-system tests"
# Nothing from here on leaves the machine: no proxy, and no other idea of certificates than the tests'.
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE
# Chosen out of the whole workspace and not by `-p`, so that nothing is compiled again with other features.
tests=()
for file in e2e/tests/*.rs; do
  tests+=(--test "$(basename "$file" .rs)")
done
[ $# -eq 0 ] || tests=()
cargo test --workspace --locked --lib "${tests[@]}" "$@" -- --test-threads=2 --nocapture

if [ "$only" = all ]; then
  step "benchmark, a quick run that only shows that it works"
  "$KONTOR_BIN_DIR/kontor-bench" compare --quick
  "$KONTOR_BIN_DIR/kontor-bench" dav --quick
  if [ -e fuzz/run.sh ]; then
    step "fuzz"
    bash fuzz/run.sh "${KONTOR_FUZZ_SECONDS:-20}"
  fi
fi
step "all good"
