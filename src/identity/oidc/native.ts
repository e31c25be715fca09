import { all, ALWAYS, any, header, NEVER, not, payload, test, type Formula, type NativeIssuer } from '../../core/token.ts'
import type { DeclaredClaim } from '../claims.ts'
import { absent, claimsOf, isLike, isOne, known, plainHeader, present, selfContained, text, textIfAny, timely } from '../nativeform.ts'
import { MAX_SUBJECT } from '../signed.ts'

/** What is asked of the tokens of one issuer, and how they name things. */
export interface NativeForm {
  readonly name: string
  readonly iss: string
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  readonly clients: readonly string[]
  readonly agents: readonly string[]
  readonly declared: readonly DeclaredClaim[]
  /** Milliseconds. */
  readonly maxLifetime: number
  /** `typ` in the header, as a pattern without regard to case; with `absent`, it may also be missing. */
  readonly type: { readonly pattern: string; readonly absent: boolean }
  /** Where tokens name their client: always there, there or not, or the subject where it isn't. */
  readonly client: { readonly claim: string; readonly when: 'always' | 'may-be' | 'or-subject' }
  /** Whether a client got the token for itself: by its subject, always, or never. */
  readonly appOnly: 'by-subject' | 'always' | 'never'
}

const SUBJECT = payload('sub')
const AZP = payload('azp')

/**
 * Access tokens of RFC 9068 and of services that sign their own, as questions that an enforcement point can ask for itself. What is
 * accepted here `verifyAccess` accepts, too; a property test holds that.
 */
export function nativeOidc(form: NativeForm): NativeIssuer {
  const { name, iss, audiences, algorithms, clients, agents, declared, type, client } = form
  const clientPath = payload(client.claim)
  const hasClient = text(clientPath)
  const noClient = all(absent(payload('client_id')), absent(AZP))
  const consistent = any(absent(AZP), test({ is: 'same', path: AZP, other: clientPath }))
  const named = client.claim === 'client_id' ? all(hasClient, consistent) : hasClient
  const appOnly: Formula =
    form.appOnly === 'always' ? ALWAYS : form.appOnly === 'never' ? NEVER : test({ is: 'same', path: SUBJECT, other: clientPath })
  const isListed =
    client.when === 'or-subject' ? any(isOne(clientPath, clients), all(noClient, isOne(SUBJECT, clients))) : isOne(clientPath, clients)
  return {
    name,
    form: name,
    iss,
    audiences,
    algorithms,
    credential: all(
      plainHeader,
      any(type.absent ? absent(header('typ')) : NEVER, isLike(header('typ'), `(?:application/)?(?:${type.pattern})`)),
      text(SUBJECT, MAX_SUBJECT),
      client.when === 'always' ? named : any(named, noClient),
      selfContained,
      absent(payload('act')),
      // No ID tokens.
      any(absent(payload('typ')), isLike(payload('typ'), 'bearer|jwt|at\\+jwt')),
      ...['at_hash', 'c_hash', 's_hash', 'nonce'].map((claim) => absent(payload(claim))),
      any(present(payload('client_id')), absent(AZP)),
      ...['scope', 'scp'].map((claim) => textIfAny(payload(claim))),
      timely(form.maxLifetime),
      // Agents are parties of their own.
      not(any(...[clientPath, AZP, SUBJECT].map((path) => isOne(path, agents)))),
      ...declared.map(known),
    ),
    subject: ['sub'],
    narrower: [
      'tokens of somebody who acts for another (`act`, or a listed agent)',
      'tokens that are bound to a key (`cnf`)',
      'tokens with a declared claim of another type',
      'tokens without `kid`',
      'tokens whose `scope` or `scp` is a list',
      'tokens that name their client by `azp` alone',
    ],
    // `client_id` is derived where the token may not have it.
    ...claimsOf(declared, (first) => first === 'client_id' && (client.claim !== 'client_id' || client.when === 'or-subject')),
    tokenId: 'jti',
    clients: [...new Set([client.claim, 'client_id', 'azp', 'sub'])],
    appOnly,
    listedClient: all(appOnly, isListed),
    kinds: { human: not(appOnly), workload: appOnly },
    capped: any(not(appOnly), present(payload('scope')), present(payload('scp'))),
    hasScope: (scope) =>
      any(
        test({ is: 'word', path: payload('scope'), word: scope }),
        all(absent(payload('scope')), test({ is: 'word', path: payload('scp'), word: scope })),
      ),
  }
}
