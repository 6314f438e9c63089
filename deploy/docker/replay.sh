#!/usr/bin/env bash
# Builds the Dockerfile without a Docker engine and checks the image as `docker run --read-only
# --volume explorer-data:/data` would run it. Needs root on Linux, buildah, iproute2, and debootstrap where no base can
# be pulled. The image stays in buildah's store as equivariance-explorer:replay.
#
#   sudo deploy/docker/replay.sh [OPTION OF buildah build]...
#
# A base made by debootstrap has Debian's own Python, so the build gets --build-arg PYTHON with that version.
# DEBIAN_MIRROR is passed to debootstrap.
set -euo pipefail
cd "$(dirname "$0")/../.."

RELEASE=bookworm
DEBIAN_PYTHON=3.11
IMAGE=localhost/equivariance-explorer:replay
PORT=8600  # not the default, to see that PORT is heard
START_LIMIT_S=120
STOP_LIMIT_S=5

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
passed() { printf 'ok: %s\n' "$*"; }

base_name() { echo "python:$1-slim-$RELEASE"; }

make_base() {
    debootstrap --variant=minbase --include=python3,python3-venv,python-is-python3,ca-certificates \
        "$RELEASE" "$work/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/debootstrap.log" ||
        { tail -5 "$work/debootstrap.log" >&2; fail "debootstrap made no base"; }
    rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/base" / >/dev/null
    buildah commit --quiet "$container" "localhost/$(base_name "$DEBIAN_PYTHON")" >/dev/null
    buildah rm "$container" >/dev/null
    rm -rf "$work/base"
}

# Sets $base, and $build_options where the base is not the Dockerfile's own.
find_base() {
    base=$(base_name "$(sed -n 's/^ARG PYTHON=//p' Dockerfile)")
    build_options=()
    buildah inspect --type image "$base" >/dev/null 2>&1 || buildah pull --quiet "$base" 2>/dev/null && return
    base=$(base_name "$DEBIAN_PYTHON")
    build_options=(--build-arg "PYTHON=$DEBIAN_PYTHON")
    buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
}

from_image() { buildah inspect --type image --format "$1" "$IMAGE"; }

# Runs a command as the image's user on its root file system: read-only, with a volume at /data, as process 1,
# and with no network but its own loopback, so that nothing is fetched unseen and every port is free.
# Settings in $settings are added to the image's environment.
in_container() {
    # shellcheck disable=SC2016
    unshare --mount --pid --net --fork sh -euc '
        root=$1 volume=$2 user=$3 directory=$4
        shift 4
        ip link set lo up
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for device in null zero full random urandom; do
            touch "$root/dev/$device"
            mount --bind "/dev/$device" "$root/dev/$device"
        done
        mkdir "$root/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount --bind "$volume" "$root/data"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
            chroot --userspec="$user" --groups= "$root" env -i --chdir="$directory" "$@"
    ' sh "$root" "$volume" "$user" "$directory" "${environment[@]}" ${settings:+"${settings[@]}"} "$@"
}

# Runs a command beside the app, as `docker exec` does.
beside() {
    nsenter --target "$app" --mount --pid --net --root --wd --setuid "${user%:*}" --setgid "${user#*:}" \
        env -i "${environment[@]}" "${settings[@]}" "$@"
}

megabytes() { du --summarize --apparent-size --block-size=MB "$1" | cut -f1; }

print_sizes() {
    local base_container
    base_container=$(buildah from --pull-never "$base")
    echo "base:     $(megabytes "$(buildah mount "$base_container")")"
    echo "with it:  $(megabytes "$root")"
    buildah rm "$base_container" >/dev/null
    echo "largest parts:"
    du --summarize --apparent-size --block-size=MB "$root"/app "$root"/opt/venv/lib/python*/site-packages/* |
        sort --numeric-sort --reverse | sed --quiet "1,12s|$root||p"
}

check_settings() {
    local status=0
    settings=("EXPLORER_DEVICE=abacus")
    in_container "${command[@]}" >"$work/out" 2>&1 || status=$?
    [ "$status" = 2 ] || fail "a wrong setting ended the container with status $status: $(tail -1 "$work/out")"
    grep -q "EXPLORER_DEVICE is 'abacus'" "$work/out" || fail "the wrong setting is not named"
    passed "a wrong setting ends the container: $(tail -1 "$work/out")"
}

check_writing() {
    local place
    for place in / /app /opt/venv /etc /tmp; do
        ! in_container touch "$place/probe" 2>/dev/null || fail "$place can be written"
    done
    in_container touch /data/probe || fail "/data cannot be written"
    passed "only /data can be written"
}

check_measurements() {
    local network
    for network in p4-cnn c8-cnn d8-cnn so2-cnn; do
        in_container python -m explorer measure --network "$network" --size 28 >"$work/out" 2>"$work/err" ||
            fail "$network: $(tail -1 "$work/err")"
        [ ! -s "$work/err" ] || fail "$network: $(head -1 "$work/err")"
        passed "$network: $(head -1 "$work/out")"
    done
}

# The modules of packages and of the app that a start compiles, because no bytecode of theirs is accepted.
check_bytecode() {
    in_container python -v -c 'import explorer.commands.main, models.steerable, streamlit.web.cli' 2>"$work/err"
    ! grep -E "code object from '?/(app|opt)[^']*\.py'?$" "$work/err" || fail "bytecode is missing"
    passed "packages and app are compiled"
}

# The app is the child of unshare, which is the child of the shell in the background. As process 1 of its own name
# space it takes all below it along when it is killed.
find_app() { app=$(pgrep --parent "$(pgrep --parent "$shell")"); }

start_app() {
    local start=$SECONDS
    settings=("PORT=$PORT")
    in_container "${command[@]}" >"$work/app.log" 2>&1 &
    shell=$!
    until find_app && beside "${health[@]}" >/dev/null 2>&1; do
        kill -0 "$shell" 2>/dev/null || { cat "$work/app.log"; fail "the app ended"; }
        [ $((SECONDS - start)) -lt "$START_LIMIT_S" ] || { cat "$work/app.log"; fail "the app does not answer"; }
        sleep 0.5
    done
    passed "the health check is answered after $((SECONDS - start)) s"
}

check_app() {
    [ "$(stat --format=%u "/proc/$app")" = "${user%:*}" ] && [ "${user%:*}" != 0 ] || fail "the app runs as root"
    passed "the app runs as user $user"
    [ "$(beside python -c 'import os; print(open("/proc/1/comm").read().strip())')" != sh ] || fail "a shell is process 1"
    beside python -c "
import urllib.request
page = urllib.request.urlopen('http://127.0.0.1:$PORT/')
assert page.status == 200 and b'<title>Streamlit' in page.read()" || fail "the page is not served"
    passed "the page is served"
}

stop_app() {
    local start=$SECONDS status=0
    kill -TERM "$app"
    wait "$shell" || status=$?
    shell=""
    [ $((SECONDS - start)) -le "$STOP_LIMIT_S" ] || fail "the app took $((SECONDS - start)) s to stop"
    passed "SIGTERM stops the app in $((SECONDS - start)) s with status $status"
    ! in_container "${health[@]}" >"$work/out" || fail "the health check passes without an app"
    passed "without the app the health check fails: $(cat "$work/out")"
}

work=$(mktemp --directory)
shell="" container=""
tidy() {
    [ -z "$shell" ] || ! find_app || kill -KILL "$app"
    [ -z "$container" ] || buildah rm "$container" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap tidy EXIT

say "Base"
find_base
echo "$base"

say "Build"
buildah build --format docker --isolation chroot --layers --pull-never "${build_options[@]}" "$@" --tag "$IMAGE" .

container=$(buildah from --pull-never "$IMAGE")
root=$(buildah mount "$container")
user=$(from_image '{{.OCIv1.Config.User}}')
directory=$(from_image '{{.OCIv1.Config.WorkingDir}}')
mapfile -t environment < <(from_image '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' | sed '/^$/d')
mapfile -t command < <(from_image '{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}' | sed '/^$/d')
mapfile -t health < <(from_image '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | sed '/^$/d; /^CMD$/d')
volume=$work/volume
cp --archive "$root/data" "$volume"  # as Docker fills a new volume
settings=()

say "Size"
print_sizes
say "Checks"
check_writing
check_measurements
check_bytecode
start_app
check_app
stop_app
check_settings
