import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import { ServerCredentials } from '@grpc/grpc-js'

/** What the server shows, and whom it believes. All PEM. */
export interface TlsMaterial {
  readonly key: string
  readonly cert: string
  /** Authorities of the nodes' certificates; no other is believed. */
  readonly ca: string
}

/** For a server that shows it. */
export function contextOf({ key, cert, ca }: TlsMaterial): SecureContextOptions {
  // No session is resumed: each connection shows its certificate to the authorities of today.
  return { key, cert, ca, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET }
}

/** Mutual TLS that takes new keys, certificates and authorities without a restart. A client without a certificate gets no connection. */
export class MutualTls extends ServerCredentials {
  constructor(material: TlsMaterial) {
    super({ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' }, contextOf(material))
  }

  /** For every connection from here on. */
  renew(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOf(material))
  }

  _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
