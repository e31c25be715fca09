import { createHash } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { PresentedCertificate } from '../core/credential.ts'

/** Certificates of one chain that are handed on at most. */
const MAX_CHAIN = 10

/** Read once for each connection; null where the client brought none. */
const known = new WeakMap<object, PresentedCertificate | null>()

/** The certificate that the client proved in the handshake of this connection, if it brought one. */
export function certificateOf(socket: TLSSocket): PresentedCertificate | undefined {
  let read = known.get(socket)
  if (read === undefined) {
    read = readCertificate(socket) ?? null
    known.set(socket, read)
  }
  return read ?? undefined
}

function readCertificate(socket: TLSSocket): PresentedCertificate | undefined {
  // An empty object stands for none, whatever its type says.
  let at = socket.getPeerCertificate(true) as Partial<DetailedPeerCertificate> | undefined
  const chain: Uint8Array[] = []
  while (at?.raw !== undefined && chain.length < MAX_CHAIN) {
    const { raw } = at
    if (chain.some((one) => raw.equals(one))) break // an authority that vouches for itself ends it
    chain.push(raw)
    at = at.issuerCertificate
  }
  if (chain[0] === undefined) return undefined
  return { thumbprint: createHash('sha256').update(chain[0]).digest('base64url'), trusted: socket.authorized, chain }
}
