#!/bin/sh
# What the upstream image's entrypoint does for a database that is run as its own user: makes the data folder once,
# with a superuser, a password and a database, and becomes the server. Arguments go to the server.
set -eu
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${PGDATA:=/var/lib/postgresql/data}"
export PGDATA
if [ "${1-}" = postgres ]; then shift; fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    read -r password <"$POSTGRES_PASSWORD_FILE" || [ -n "$password" ]
  else
    password=${POSTGRES_PASSWORD:?POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD must be set}
  fi
  # A pipe, and no file: the root may be read-only.
  printf '%s\n' "$password" | initdb --username="$POSTGRES_USER" --pwfile=/dev/stdin --auth-local=trust \
    --auth-host=scram-sha-256 --encoding=UTF8 --locale=C ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    printf 'CREATE DATABASE "%s"\n\n' "$POSTGRES_DB" | postgres --single -jE postgres
  fi
fi
exec postgres -c listen_addresses='*' "$@"
