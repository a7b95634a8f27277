#!/usr/bin/env bash
# Installs Docker Compose v2 for this user: from the package of a newer Debian (seconds), whose one program needs
# nothing of that release, or else built from source through the Go module proxy (minutes).
# What was found is kept for the next time. Ends with 3 when this machine cannot have it.
set -euo pipefail

RELEASE=trixie
VERSION=v2.40.3
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
KEPT="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/agentplane/docker-compose"
PLUGIN="${DOCKER_CONFIG:-${HOME:-/root}/.docker}/cli-plugins/docker-compose"

works() { docker compose version >/dev/null 2>&1; }
plug_in() { install -D -m 755 "$1" "$PLUGIN" && works && install -D -m 755 "$1" "$KEPT"; }

# apt as if this machine were of that release, without a trace in its own lists.
from_debian() {
    command -v apt-get >/dev/null && [ -e "$KEYS" ] || return 1
    local here mirror work=$1
    here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' "Codename: $here" | head -n 1)
    [ -n "$mirror" ] || return 1
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    echo "deb [signed-by=$KEYS] $mirror $RELEASE main" >"$work/sources.list"
    local own=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root)
    apt-get "${own[@]}" update && (cd "$work" && apt-get "${own[@]}" download docker-compose) || return 1
    dpkg-deb -x "$work"/docker-compose_*.deb "$work/package"
    plug_in "$work/package/usr/libexec/docker/cli-plugins/docker-compose"
}

from_source() {
    command -v go >/dev/null || return 1
    local source work=$1
    source=$(go mod download -json "github.com/docker/compose/v2@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r "$source" "$work/source" && chmod -R u+w "$work/source"
    (cd "$work/source" && go build -trimpath -o "$work/docker-compose" ./cmd) || return 1
    plug_in "$work/docker-compose"
}

works || { [ -e "$KEPT" ] && plug_in "$KEPT"; } || {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    from_debian "$work" || from_source "$work" || {
        echo "no Docker Compose v2 here: neither Debian $RELEASE nor Go gave one" >&2
        exit 3
    }
}
docker compose version
