#!/bin/sh
# Installs PostgreSQL's server, which examples/measure.rs starts for the while as a baseline. It is left stopped.
set -eu
if [ "$(id -u)" -ne 0 ]; then
    exec sudo sh "$0"
fi
if command -v apt-get >/dev/null; then
    apt-get update
    # The package would start a server of its own, which nobody needs here.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
elif command -v dnf >/dev/null; then
    dnf install -y postgresql-server
elif command -v zypper >/dev/null; then
    zypper --non-interactive install postgresql-server
elif command -v pacman >/dev/null; then
    pacman -Sy --noconfirm postgresql
elif command -v apk >/dev/null; then
    apk add postgresql
else
    echo 'No package manager that is known here: install PostgreSQL, and put initdb, pg_ctl and postgres into PATH.' >&2
    exit 1
fi
