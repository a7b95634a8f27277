#!/usr/bin/env bash
# Ends with 0 when the service of this container is ready. A container asks every few seconds for as long as it
# lives, so this starts no Python: a fiftieth of what that costs.
set -u
exec 3<>"/dev/tcp/127.0.0.1/$AGENTPLANE_READY_PORT" || exit 1
printf 'GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
IFS=' ' read -r -t 4 _ status _ <&3
[ "${status:-}" = 200 ]
