#!/usr/bin/env bash
# A Ray cluster of one machine with a token, and S3 beside it, all on loopback: to try `rfmeta submit` on.
#
#   infra/local_cluster.sh                 in one terminal; Ctrl-C ends everything
#   source runs/cluster/client.env         in another, then:
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
  umask 077  # the token lets its bearer run code
  cat > "$folder/client.env" <<EOF
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$RAY_AUTH_TOKEN
export RAY_API_SERVER_ADDRESS=http://127.0.0.1:${DASHBOARD_PORT:-28265}
EOF
)
temp=$(mktemp -d /tmp/rf-XXXXXX)  # sockets need a short path
trap 'rm -rf "$temp"' EXIT
rfmeta s3 "$folder/s3" -- ray start --head --block --disable-usage-stats --node-ip-address=127.0.0.1 \
  --port="${PORT:-26379}" --dashboard-host=127.0.0.1 --dashboard-port="${DASHBOARD_PORT:-28265}" \
  --num-cpus="${SLOTS:-8}" --object-store-memory=1000000000 --temp-dir="$temp"
