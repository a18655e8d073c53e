#!/usr/bin/env bash
# Installs what the whole-system tests and the benchmark use from outside: Debian packages and, in a virtual
# environment under Cargo's target folder, packages from PyPI: an S3 server, a CalDAV library, Radicale, a peer of the
# benchmark, and what drives Thunderbird. Does nothing where all is there, starts no service, and needs root only when a
# package is missing. The programs of a Kubernetes are found, or built by the tests themselves: see
# e2e/src/kubernetes/programs.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  postgresql postgresql-contrib                 # the store's database
  swaks libnet-ssleay-perl msmtp                # clients that send
  curl python3 python3-venv isync fetchmail     # clients that read
  vdirsyncer khal khard cadaver thunderbird     # clients of calendars and contacts
  openssl procps util-linux                     # probes
  containerd runc containernetworking-plugins   # the nodes of a Kubernetes
  nftables iptables conntrack iproute2          # and their network
  dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd   # the benchmark's peer
)
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
  echo "setup: installing ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup: not root; install these packages first: ${missing[*]}" >&2
    exit 1
  fi
  # Packages must not start their services here.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=1
  fi
  trap '[ -z "$made" ] || rm -f "$policy"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # Kontor runs a private PostgreSQL; Debian's own cluster is not wanted.
  install -d /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/kontor.conf
  apt-get update -q
  apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

venv=${KONTOR_E2E_VENV:-${CARGO_TARGET_DIR:-target}/e2e-venv}
python='moto[server]==5.2.5 caldav==3.6.0 radicale==3.9.0 marionette-driver==3.7.1'
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$python" ]; then
  echo "setup: installing $python into $venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # a list
  "$venv/bin/pip" install --quiet --disable-pip-version-check $python
  echo "$python" >"$venv/.installed"
fi
echo "setup: all there"
