#!/usr/bin/env bash
# Builds the root file system of lab nodes into a directory: guest/rootfs/build.sh OUTDIR
#
# Called by netlab.install; never writes outside OUTDIR and a temporary file. The mirror is the machine's own: the
# suite `trixie` is asked of whatever site the machine's apt sources name for its Debian archive.
#
# /usr/include/asm: `clang -target bpf` looks for asm/types.h there, Debian has it in the architecture's folder only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1

site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' |
  awk '$3 == "main" && ($2 ~ /^(bookworm|trixie)$/) && !seen[$1]++ {print $1; exit}')
[[ -n $site ]] || { echo "no Debian archive in this machine's apt sources" >&2; exit 1; }

sources=$(mktemp)
trap 'rm -f "$sources"' EXIT
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" > "$sources"
packages=$(sed 's/#.*//' "$here/packages.txt" | xargs | tr ' ' ',')

mmdebstrap --variant=minbase --mode=root --format=directory \
  --include="$packages" \
  --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*' \
  --customize-hook='printf "lab\n" > "$1/etc/hostname"; : > "$1/etc/machine-id"' \
  --customize-hook='printf "127.0.0.1 localhost\n::1 localhost\n" > "$1/etc/hosts"' \
  --customize-hook='mkdir -p "$1"/sys/fs/bpf "$1"/lab "$1"/root' \
  --customize-hook='ln -s "$(uname -m)-linux-gnu/asm" "$1"/usr/include/asm' \
  --customize-hook="cp -r '$here/overlay/.' \"\$1/\"" \
  trixie "$out" "$sources"
