#!/usr/bin/env bash
# Brings a machine to where the container tests can run: an engine that answers, an image with Python in it, and
# Compose.
# The image is a Debian of debootstrap, so no registry is needed; it is kept for the next time.
# Ends with 0 when all is there and 3, with the reason, when this machine cannot have it: the tests skip themselves then.
set -euo pipefail

IMAGE=agentplane-test-base:latest
SUITE=bookworm
CACHE="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/agentplane"
SAVED="$CACHE/test-base-$SUITE.tar.gz"
LOG=/var/log/agentplane-dockerd.log

cannot() { echo "no containers here: $*" >&2; exit 3; }
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_missing() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io iptables)
    command -v docker >/dev/null || missing+=(docker.io)
    command -v debootstrap >/dev/null || [ -e "$SAVED" ] || missing+=(debootstrap)
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || cannot "${missing[*]} missing, and there is no apt-get"
    apt-get update -qq >/dev/null 2>&1 || cannot "apt-get update failed"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || cannot "apt-get could not install ${missing[*]}"
}

start_engine() {
    answers && return
    # Agents' containers have no network of the engine's, so it need not be able to make any.
    local flags
    for flags in "" "--iptables=false --bridge=none"; do
        # shellcheck disable=SC2086
        setsid dockerd $flags >>"$LOG" 2>&1 </dev/null &
        local daemon=$!
        for _ in $(seq 60); do
            answers && return
            kill -0 "$daemon" 2>/dev/null || break
            sleep 0.5
        done
        kill "$daemon" 2>/dev/null && wait "$daemon" || true
    done
    cannot "dockerd does not start: $(tail -n 1 "$LOG")"
}

make_image() {
    docker image inspect "$IMAGE" >/dev/null 2>&1 && return
    mkdir -p "$CACHE"
    if [ ! -e "$SAVED" ]; then
        local root
        root=$(mktemp -d)
        # shellcheck disable=SC2064
        trap "rm -rf '$root'" EXIT
        debootstrap --variant=minbase --include=python3 "$SUITE" "$root/debian" >"$root/log" 2>&1 \
            || cannot "debootstrap failed: $(tail -n 1 "$root/log")"
        tar -C "$root/debian" --exclude=./var/cache/apt --exclude=./usr/share/doc --exclude=./usr/share/locale \
            -czf "$SAVED.new" .
        mv "$SAVED.new" "$SAVED"
    fi
    docker import -c 'CMD ["python3"]' - "$IMAGE" <"$SAVED" >/dev/null
}

if ! answers; then
    [ "$(id -u)" -eq 0 ] || cannot "no engine answers, and only root could start one"
fi
[ "$(id -u)" -eq 0 ] || cannot "the container driver needs root"
install_missing
start_engine
make_image
"$(dirname "$0")/compose.sh" || echo "the tests of compose mode will be skipped"
echo "engine $(docker version --format '{{.Server.Version}}'), image $IMAGE"
