#!/usr/bin/env bash
# Makes the files beside it with OpenSSH: of each kind of key the authority's line, the certificate and the signature over the message;
# a revocation list, and the keys that it is of and that are in it.
# The private keys are thrown away.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export TZ=UTC
printf 'ostiary-ssh-v1\naudience orders.example.com\nissued 1767225600\nnonce AAAAAAAAAAAAAAAAAAAAAA\n' >message

# A revocation list with every kind of part.
for name in ca a b c; do ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$name"; done
cat >specification <<LIST
serial: 5
serial: 10-12
serial: 100
serial: 102
serial: 103
serial: 107
serial: 900-1000000
serial: 18446744073709551615
id: left
key: $(cat a.pub)
sha256: $(cat b.pub)
sha1: $(cat c.pub)
LIST
ssh-keygen -q -k -f "$here/revoked.krl" -s ca.pub specification
cat ca.pub a.pub b.pub c.pub >"$here/revoked.keys"
rm -f ca ca.pub

for kind in ed25519 ecdsa-256 ecdsa-384 ecdsa-521 rsa-3072; do
  bits=()
  [[ $kind == *-* ]] && bits=(-b "${kind#*-}")
  ssh-keygen -q -t "${kind%%-*}" "${bits[@]}" -N '' -C authority -f ca
  ssh-keygen -q -t "${kind%%-*}" "${bits[@]}" -N '' -C reader -f id
  ssh-keygen -q -s ca -I reader-key -n reader,publisher -z 42 -V 20251231:20270101 -O clear -O permit-pty \
    -O extension:login@example.com=one id.pub
  # One half signs with the key, the other with the certificate.
  with=id
  [[ $kind == ecdsa-* ]] && with=id-cert.pub
  ssh-keygen -q -Y sign -n ostiary@ostiary.dev -f "$with" message
  cat ca.pub id-cert.pub message.sig >"$here/$kind.txt"
  rm -f ca ca.pub id id.pub id-cert.pub message.sig
done
