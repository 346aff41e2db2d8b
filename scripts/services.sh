#!/usr/bin/env bash
# Installs from Debian's packages what only some tests need: services.sh [name ...]
# Without names: those that tests need today. Quick when nothing is missing.
set -euo pipefail

needed_today=(chromium python)

# name       command        package                                     needed by
services='
postgres     postgres       postgresql                                  test/contract: store
nats         nats-server    nats-server                                 test/contract: bus
chromium     chromium       chromium                                    test/e2e: pages
electrum     electrum       electrum                                    test/interop: wallets
python       cryptography   python3-cryptography                        test/e2e: a client in Python
'

has() {
  command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null ||
    compgen -G "/usr/lib/python3/dist-packages/$1" >/dev/null
}

packages=()
for name in "${@:-${needed_today[@]}}"; do
  [ -n "$name" ] || continue
  row=$(awk -v name="$name" '$1 == name' <<<"$services")
  if [ -z "$row" ]; then
    echo "services.sh: no service '$name'; there are: $(awk 'NF { printf "%s ", $1 }' <<<"$services")" >&2
    exit 2
  fi
  read -r _ command package _ <<<"$row"
  has "$command" || packages+=("$package")
done
[ ${#packages[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || {
  echo "services.sh: no apt-get here; install by hand: ${packages[*]}" >&2
  exit 1
}
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "services.sh: installing ${packages[*]} ..."
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
