import type { IssuerBase } from '../../config/schema.ts'
import type { Identity } from '../../core/principal.ts'
import { Authorities } from '../certificate/authorities.ts'
import { declaredClaims, readClaims, type DeclaredClaim } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind } from '../issuer.ts'
import { Refusal, refused } from '../jose/refusal.ts'
import { withoutSignIn } from '../nosignin.ts'
import { lineAuthorities } from './authorities.ts'
import { payloadOf, sshClaims } from './claims.ts'
import { judgeToken, type JudgedToken } from './judge.ts'
import { checkRevoked, RevokedCertificates } from './revoked.ts'
import { sshSchema, type SshConfig } from './schema.ts'
import { TOKEN_PREFIX } from './token.ts'

/** User certificates of OpenSSH: a caller signs a message for this gateway with the key that an authority certified. */
export const ssh: IssuerKind = {
  schema: sshSchema,
  claims: sshClaims,
  single: true,
  create: (name, config, deps) => createSsh(name, config as IssuerBase & SshConfig, deps),
}

/** Whom a good token is taken for. */
interface SshReader {
  readonly name: string
  readonly config: SshConfig
  /** Principals that count; undefined for all. */
  readonly principals: ReadonlySet<string> | undefined
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly declared: readonly DeclaredClaim[]
}

function createSsh(name: string, config: SshConfig, deps: IssuerDeps): Issuer {
  const authorities = new Authorities(name, config.authorities, lineAuthorities, deps)
  // What rests on what was added isn't told apart from the rest: all is proven anew.
  const added = (): void => authorities.end(authorities.all.map(({ fingerprint }) => fingerprint))
  const revoked = config.revoked === undefined ? undefined : new RevokedCertificates(name, config.revoked, added, deps)
  const audiences = new Set(config.audiences)
  const reader: SshReader = {
    name,
    config,
    principals: config.principals === undefined ? undefined : new Set(config.principals),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    declared: declaredClaims(sshClaims, config.claims),
  }
  return {
    name,
    kind: 'ssh',
    ...withoutSignIn(name, ''),
    discoveryUrl: '',
    // What it takes is no JWT.
    owns: () => false,
    resembles: () => false,
    claimsToken: (token) => token.startsWith(TOKEN_PREFIX),
    verifyAccessToken(token) {
      const { all } = authorities
      // Nobody can be vouched for as long as a file could never be read.
      if (all.length === 0 || revoked?.ready === false) return { outcome: 'unavailable', cause: 'keys' }
      return refused(() => {
        const judged = judgeToken(token, { audiences, maxAge: config.maxAge, authorities: all, now: deps.clock.now() })
        checkRevoked(revoked, judged.certificate, judged.authority)
        return { outcome: 'identity', identity: identityOf(reader, judged), expiresAt: judged.expiresAt } as const
      })
    },
    status() {
      const { ready, detail } = authorities.status()
      const details = [detail, revoked?.failure].filter((one) => one !== undefined)
      return { ready: ready && revoked?.ready !== false, detail: details.join('; ') }
    },
    onKeysLeft: (listener) => authorities.onKeysLeft(listener),
    close() {
      authorities.close()
      revoked?.close()
    },
  }
}

/** @throws Refusal `certificate` */
function identityOf(reader: SshReader, { certificate, authority, message, algorithm, expiresAt }: JudgedToken): Identity {
  const { name, config, declared } = reader
  const principals = certificate.principals.filter((one) => reader.principals?.has(one) ?? true)
  // sshd takes a certificate without principals for anybody.
  if (principals.length === 0) throw new Refusal('certificate', 'principals')
  const subject = config.subject === 'keyId' ? certificate.keyId : onlyOne(principals)
  if (subject === '') throw new Refusal('certificate', 'keyId')
  return {
    issuer: name,
    subject,
    kind: reader.agents.has(subject) ? 'agent' : config.principal,
    ...readClaims(payloadOf(certificate, { subject, principals, authority: authority.fingerprint }), declared),
    scopes: undefined,
    appOnly: config.principal === 'workload',
    listedClient: reader.clients.has(subject),
    actor: undefined,
    display: certificate.keyId === '' ? subject : certificate.keyId,
    evidence: {
      credential: 'ssh',
      issuerUrl: authority.fingerprint,
      audience: message.audience,
      client: config.principal === 'workload' ? subject : undefined,
      // Not of this one token but of its key: whoever has that makes another token in its place.
      tokenId: certificate.key.fingerprint,
      keyId: authority.fingerprint,
      algorithm,
      issuedAt: message.issuedAt,
      expiresAt,
      sessionId: undefined,
    },
  }
}

/** The one principal that counts: of several, none is the key of a caller. */
function onlyOne([first, ...others]: readonly string[]): string {
  if (first === undefined || others.some((one) => one !== first)) throw new Refusal('certificate', 'principals')
  return first
}
