import { X509Certificate } from 'node:crypto'
import { StreamRefusal } from './refusal.ts'

/** Who is at the other end, by the certificate that the connection was made with. */
export interface Peer {
  /** The URI of the certificate, else its DNS name. */
  readonly identity: string
  /** When the certificate ends, milliseconds since the epoch. */
  readonly until: number
}

/** What gRPC knows of a connection. */
interface AuthContext {
  readonly sslPeerCertificate?: { readonly raw: Buffer }
}

/** Longest text of alternative names that is read. */
const MAX_NAMES = 16_384

/**
 * Reads who a peer is: its one URI (a SPIFFE ID has exactly one), else its one DNS name. What could be read in two ways is refused.
 * @throws StreamRefusal `UNAUTHENTICATED`
 */
export function peerOf(context: AuthContext, now: number): Peer {
  const raw = context.sslPeerCertificate?.raw
  if (raw === undefined) throw new StreamRefusal('UNAUTHENTICATED', 'the connection has no client certificate')
  const certificate = new X509Certificate(raw)
  const until = certificate.validToDate.getTime()
  if (until <= now) throw new StreamRefusal('UNAUTHENTICATED', 'the client certificate has ended')
  const text = certificate.subjectAltName ?? ''
  // OpenSSL quotes what holds a comma, a quote or a control character (CVE-2021-44532).
  if (text.length > MAX_NAMES || text.includes('"'))
    throw new StreamRefusal('UNAUTHENTICATED', 'the names of the client certificate can not be read')
  const names = text.split(', ')
  for (const kind of ['URI:', 'DNS:']) {
    const [identity, another] = names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
    if (another !== undefined)
      throw new StreamRefusal(
        'UNAUTHENTICATED',
        `the client certificate has more than one ${kind.slice(0, -1)} name, so it does not say who this is`,
      )
    if (identity !== undefined && identity !== '') return { identity, until }
  }
  throw new StreamRefusal('UNAUTHENTICATED', 'the client certificate has neither a URI nor a DNS name')
}
