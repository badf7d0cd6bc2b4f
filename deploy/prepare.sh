#!/bin/sh
# Makes what deploy/compose.yaml needs and no repository may have: secrets/ and settings.env, beside
# this file. What is there already stays as it is. The upstream comes from the environment:
#
#     FAST_LLM_API_URL=https://… FAST_LLM_MODEL=… FAST_LLM_API_KEY=… sh deploy/prepare.sh llm.example
#
# The name is that of the certificate, which is self-signed: put your own into secrets/tls_certificate
# and secrets/tls_key.
set -eu
name=${1:-localhost}
for needed in FAST_LLM_API_URL FAST_LLM_MODEL FAST_LLM_API_KEY; do
  eval "[ -n \"\${$needed:-}\" ]" || { echo "$needed must be set: see docs/upstreams.md." >&2; exit 2; }
done
cd "$(dirname "$0")"

# Containers read the files under users of their own, and compose changes no owner: the folder is
# what keeps others of this machine out.
umask 022
mkdir -p secrets
chmod 700 secrets

new() { # a file, its text
  [ -e "$1" ] || printf '%s\n' "$2" > "$1"
}
random() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

new secrets/postgres_password "$(random)"
new secrets/database_url "postgresql://llm_api:$(cat secrets/postgres_password)@postgres/llm_api"
new secrets/valkey_conf "requirepass $(random)"
new secrets/valkey_url "redis://:$(sed 's/requirepass //' secrets/valkey_conf)@valkey:6379/0"
new secrets/admin_api_key "sk-admin-$(random)"
new secrets/grafana_password "$(random)"
new secrets/fast_llm_api_key "$FAST_LLM_API_KEY"
new settings.env "FAST_LLM_API_URL=$FAST_LLM_API_URL
FAST_LLM_MODEL=$FAST_LLM_MODEL"
command -v openssl >/dev/null || [ -e secrets/tls_certificate ] || { echo "openssl must be installed, or secrets/tls_certificate and secrets/tls_key be there." >&2; exit 2; }
[ -e secrets/tls_certificate ] || openssl req -x509 -newkey rsa:2048 -nodes -days 365 \
  -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
  -keyout secrets/tls_key -out secrets/tls_certificate 2>/dev/null
chmod 644 secrets/*
echo "secrets/ and settings.env are in $(basename "$PWD")/."
