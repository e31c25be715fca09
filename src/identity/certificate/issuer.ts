import type { X509Certificate } from 'node:crypto'
import type { IssuerBase } from '../../config/schema.ts'
import type { Identity } from '../../core/principal.ts'
import { declaredClaims, readClaims } from '../claims.ts'
import type { ClaimInfo, Issuer, IssuerDeps } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import { refused } from '../jose/refusal.ts'
import { withoutSignIn } from '../nosignin.ts'
import { Authorities, idOf, pemAuthorities } from './authorities.ts'
import { authorityOf, readChain } from './chain.ts'
import { readNames, type CertificateNames } from './names.ts'

/** Who a certificate is about. */
export interface CertifiedParty {
  readonly subject: string
  readonly kind: 'human' | 'workload'
  /** As `iss` of a token: the trust domain, or the authority's name. */
  readonly issuerUrl: string
  /** What policy may speak of, by the kind's own names. */
  readonly claims: JsonObject
}

export interface CertificateKind {
  readonly kind: string
  readonly claims: Readonly<Record<string, ClaimInfo>>
  /** Who a proven certificate is about. @throws Refusal `certificate` */
  readonly read: (certificate: X509Certificate, names: CertificateNames, authority: X509Certificate) => CertifiedParty
}

/** An issuer whose callers prove themselves by the certificate of their connection, vouched for by an authority of `ca`. */
export function certificateIssuer(
  name: string,
  config: IssuerBase & { readonly ca: string },
  deps: IssuerDeps,
  { kind, claims, read }: CertificateKind,
): Issuer {
  const authorities = new Authorities(name, config.ca, pemAuthorities, deps)
  const declared = declaredClaims(claims, config.claims)
  const [agents, clients] = [new Set(config.agents), new Set(config.clients)]
  return {
    name,
    kind,
    ...withoutSignIn(name, ''),
    discoveryUrl: '',
    owns: () => false,
    resembles: () => false,
    verifyAccessToken: () => ({ outcome: 'rejected', reason: 'issuer' }),
    verifyCertificate({ chain, thumbprint }) {
      const certificates = readChain(chain)
      const now = deps.clock.now()
      const authority = certificates === undefined ? undefined : authorityOf(certificates, authorities.all, now)
      const leaf = certificates?.[0]
      if (leaf === undefined || authority === undefined) return undefined
      return refused(() => {
        const party = read(leaf, readNames(leaf), authority)
        const identity: Identity = {
          issuer: name,
          subject: party.subject,
          kind: agents.has(party.subject) ? 'agent' : party.kind,
          ...readClaims(party.claims, declared),
          scopes: undefined,
          appOnly: party.kind === 'workload',
          listedClient: clients.has(party.subject),
          actor: undefined,
          display: party.subject,
          evidence: {
            credential: 'certificate',
            issuerUrl: party.issuerUrl,
            audience: '',
            client: party.kind === 'workload' ? party.subject : undefined,
            tokenId: thumbprint,
            keyId: idOf(authority),
            algorithm: undefined,
            issuedAt: leaf.validFromDate.getTime(),
            expiresAt: leaf.validToDate.getTime(),
            sessionId: undefined,
            confirmation: { method: 'mtls', thumbprint },
          },
        }
        return { outcome: 'identity', identity, expiresAt: leaf.validToDate.getTime() } as const
      })
    },
    status: () => authorities.status(),
    onKeysLeft: (listener) => authorities.onKeysLeft(listener),
    close: () => authorities.close(),
  }
}
