# packages.sh - the distribution's packages that building, running and testing need.
#
# Sourced by quickstart and tests/run:  packages_install "purpose" LIST...
# where LIST is among build, run, test, fuzz (which tests can do without). As root it installs what is missing, asks
# nothing and starts no service; otherwise it says what is missing and returns 1.

packages_build="gcc g++ libc6-dev cmake ninja-build pkg-config libmicrohttpd-dev libpq-dev
    libhiredis-dev libssl-dev libjansson-dev libcurl4-openssl-dev"
packages_run="postgresql redis-server redis-tools python3 python3-redis ca-certificates"
packages_test="libcunit1-dev binutils curl openssl procps python3-pytest python3-requests
    python3-psycopg2"
packages_fuzz="clang libclang-rt-dev"

packages_missing() { # names of those that are not installed
    local list name
    for list in "$@"; do
        list=packages_$list
        for name in ${!list}; do
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
                printf '%s ' "$name"
        done
    done
}

# Services that a package brings are not started now, nor at the next boot; PostgreSQL's
# package makes no cluster of its own. All of it is taken back afterwards.
packages_quiet_begin() {
    packages_policy= packages_cluster=
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        packages_policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >$packages_policy && chmod 755 $packages_policy
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        packages_cluster=/etc/postgresql-common/createcluster.d/keyferry.conf
        mkdir -p "${packages_cluster%/*}" && echo 'create_main_cluster = false' >$packages_cluster
    fi
}

packages_quiet_end() {
    local name
    [ -z "$packages_policy" ] || rm -f "$packages_policy"
    [ -z "$packages_cluster" ] || rm -f "$packages_cluster"
    if [ -d /run/systemd/system ]; then
        for name in redis-server postgresql; do
            case " $1 " in *" $name "*) systemctl disable --quiet $name 2>/dev/null ;; esac
        done
    fi
    return 0
}

packages_install() {
    local purpose=$1 missing log
    shift
    if ! command -v dpkg-query >/dev/null; then
        echo "This is neither Debian nor Ubuntu: see docker/Dockerfile for what is needed." >&2
        return 0
    fi
    missing=$(packages_missing "$@")
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        printf 'Missing packages; as root run:\n  apt-get install --no-install-recommends %s\n' \
            "$missing" >&2
        return 1
    fi
    echo "Installing $(echo $missing | wc -w) packages for $purpose ..."
    log=$(mktemp)
    packages_quiet_begin
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -q -o DPkg::Lock::Timeout=300 update &&
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null; then
        packages_quiet_end "$missing"
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "Installing did not work (above): apt-get install --no-install-recommends $missing" >&2
        return 1
    fi
    packages_quiet_end "$missing"
    rm -f "$log"
}
