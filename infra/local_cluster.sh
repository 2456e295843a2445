#!/usr/bin/env bash
# Start a Ray cluster on this machine, to try `rfmeta submit`. It asks for a token, has an S3 server beside it, and
# listens on the loopback interface only.
#
#   infra/local_cluster.sh                 in one terminal; Ctrl-C or SIGTERM ends the cluster and the S3 server
#   source runs/cluster/client.env         in another terminal, then:
#   rfmeta submit jobs/synth.yaml
#   rfmeta submit jobs/leave_one_out.yaml
#
# SLOTS (8), PORT (26379), DASHBOARD_PORT (28265) and FOLDER (runs/cluster) can be set in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
folder=${FOLDER:-runs/cluster}
mkdir -p "$folder"

RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token
(
  umask 077  # only this user may read the token, because it allows running code on the cluster
  cat > "$folder/client.env" <<EOF
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$RAY_AUTH_TOKEN
export RAY_API_SERVER_ADDRESS=http://127.0.0.1:${DASHBOARD_PORT:-28265}
EOF
)
temp=$(mktemp -d "${TMPDIR:-/tmp}/rf-XXXXXX")  # sockets need a short path
export RFMETA_CLUSTER=$temp  # marks every process of this cluster, however it was started
export TMPDIR=$temp

# Print the process ids of this cluster that still run.
ours() {
  local environment
  for environment in /proc/[0-9]*/environ; do
    if grep -qsz "^RFMETA_CLUSTER=$temp\$" "$environment"; then basename "$(dirname "$environment")"; fi
  done
}

gone() {  # wait until the cluster has ended, at most $1 seconds
  for _ in $(seq $((5 * $1))); do
    kill -0 "$cluster" 2>/dev/null || return 0
    sleep 0.2
  done
  return 1
}

# Ask Ray to end. If that takes too long, kill the processes that Ray has started, and last the command that serves
# S3, which normally ends by itself when Ray has ended.
end() {
  trap '' EXIT HUP INT TERM
  kill -TERM "$(cat "$temp/pid" 2>/dev/null || echo "$cluster")" 2>/dev/null || true
  if ! gone 10; then
    for process in $(ours | grep -vx "$cluster"); do kill -KILL "$process" 2>/dev/null || true; done
    gone 10 || true
  fi
  kill -KILL -- "-$cluster" 2>/dev/null || true  # Ray's agents overwrite their environment, so `ours` misses them
  while left=$(ours) && [ -n "$left" ]; do
    for process in $left; do kill -KILL "$process" 2>/dev/null || true; done
    sleep 0.1  # a killed process may have started another one just before
  done
  rm -rf "$temp"
  exit "$1"
}

set -m  # the cluster gets its own process group, so that Ctrl-C and a closed terminal reach only this script
rfmeta s3 "$folder/s3" -- bash -c 'echo $$ > "$0/pid"; exec "$@"' "$temp" \
  ray start --head --block --disable-usage-stats --node-ip-address=127.0.0.1 \
  --port="${PORT:-26379}" --dashboard-host=127.0.0.1 --dashboard-port="${DASHBOARD_PORT:-28265}" \
  --dashboard-agent-listen-port=0 --num-cpus="${SLOTS:-8}" --object-store-memory=1000000000 --temp-dir="$temp" < /dev/null &
cluster=$!
trap 'end 129' HUP
trap 'end 130' INT
trap 'end 143' TERM
trap 'end $?' EXIT
wait "$cluster"
