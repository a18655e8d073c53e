#!/usr/bin/env bash
# Builds Kontor and runs a whole trial server on this machine. Arguments go to `kontor up`.
set -euo pipefail
cd "$(dirname "$0")"

has_postgresql() {
  [ -n "${KONTOR_PG_BIN:-}" ] || command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

if ! command -v cargo >/dev/null; then
  echo "Rust 1.95 or newer is needed: install it with rustup or your distribution's packages." >&2
  exit 1
fi
if ! has_postgresql || ! command -v cc >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "PostgreSQL 15 or newer and a C compiler are needed: install them, or say in KONTOR_PG_BIN where initdb is." >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "Installing PostgreSQL and a C compiler ..." >&2
  # Kontor runs a private PostgreSQL; Debian's own cluster is not wanted.
  "${sudo[@]}" apt-get update -q
  "${sudo[@]}" install -d /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.d/kontor.conf >/dev/null
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql gcc libc6-dev
fi

cargo build --release --locked --bins
exec "${CARGO_TARGET_DIR:-target}/release/kontor" up "$@"
