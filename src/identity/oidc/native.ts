import { all, ALWAYS, any, header, NEVER, not, payload, test, type Formula, type NativeIssuer, type TokenPath } from '../../core/token.ts'
import type { DeclaredClaim } from '../claims.ts'
import { MAX_KID } from '../jose/jwk.ts'
import { MAX_TOKEN } from '../jose/compact.ts'
import { CLOCK_SKEW_MS } from '../../core/clock.ts'
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
const EXP = payload('exp')
const IAT = payload('iat')

function present(path: TokenPath): Formula {
  return test({ is: 'present', path })
}

function absent(path: TokenPath): Formula {
  return not(present(path))
}

/** A text that isn't empty. */
function text(path: TokenPath, most = MAX_TOKEN): Formula {
  return test({ is: 'length', path, most })
}

function number(path: TokenPath): Formula {
  return test({ is: 'type', path, type: 'number' })
}

/** Absent, or of its type; the way there is made of objects as far as it goes. */
function known({ type, path }: DeclaredClaim): Formula {
  const steps = path.map((_, index) => payload(...path.slice(0, index + 1)))
  return steps.reduceRight<Formula>((rest, step, index) => {
    const here =
      index === steps.length - 1 ? test({ is: 'type', path: step, type }) : all(test({ is: 'type', path: step, type: 'object' }), rest)
    return any(absent(step), here)
  }, ALWAYS)
}

/**
 * Access tokens of RFC 9068 and of services that sign their own, as questions that an enforcement point can ask for itself. What is
 * accepted here `verifyAccess` accepts, too; a property test holds that.
 */
export function nativeOidc(form: NativeForm): NativeIssuer {
  const { name, iss, audiences, algorithms, clients, agents, declared, type, client } = form
  const clientPath = payload(client.claim)
  const hasClient = text(clientPath)
  const noClient = all(absent(payload('client_id')), absent(payload('azp')))
  const consistent = all(any(absent(payload('azp')), test({ is: 'same', path: payload('azp'), other: clientPath })))
  const named = client.claim === 'client_id' ? all(hasClient, consistent) : hasClient
  const has = (path: TokenPath, values: readonly string[]): Formula =>
    values.length === 0 ? NEVER : test({ is: 'value', path, type: 'string', values })
  const appOnly: Formula =
    form.appOnly === 'always' ? ALWAYS : form.appOnly === 'never' ? NEVER : test({ is: 'same', path: SUBJECT, other: clientPath })
  const isListed =
    client.when === 'or-subject' ? any(has(clientPath, clients), all(noClient, has(SUBJECT, clients))) : has(clientPath, clients)
  const capped = any(not(appOnly), present(payload('scope')), present(payload('scp')))
  return {
    name,
    iss,
    audiences,
    algorithms,
    credential: all(
      ...['crit', 'b64', 'enc', 'zip', 'jwk', 'jku', 'x5u', 'x5c'].map((member) => absent(header(member))),
      test({ is: 'length', path: header('kid'), most: Math.floor(MAX_KID / 3) }),
      any(
        type.absent ? absent(header('typ')) : NEVER,
        test({ is: 'matches', path: header('typ'), pattern: `(?i)(application/)?(${type.pattern})` }),
      ),
      text(SUBJECT, MAX_SUBJECT),
      client.when === 'always' ? named : any(named, noClient),
      // No chains, no keys to prove, no claims kept elsewhere.
      ...['act', 'cnf', '_claim_names'].map((claim) => absent(payload(claim))),
      // No ID tokens.
      any(absent(payload('typ')), test({ is: 'matches', path: payload('typ'), pattern: '(?i)(bearer|jwt|at\\+jwt)' })),
      ...['at_hash', 'c_hash', 's_hash', 'nonce'].map((claim) => absent(payload(claim))),
      any(present(payload('client_id')), absent(payload('azp'))),
      ...['scope', 'scp'].map((claim) => any(absent(payload(claim)), test({ is: 'type', path: payload(claim), type: 'string' }))),
      number(EXP),
      any(absent(payload('nbf')), number(payload('nbf'))),
      test({ is: 'past', path: IAT, skew: CLOCK_SKEW_MS / 1000 }),
      test({ is: 'span', path: EXP, since: IAT, most: form.maxLifetime / 1000 }),
      // Agents are parties of their own.
      agents.length === 0 ? ALWAYS : not(any(has(clientPath, agents), has(payload('azp'), agents), has(SUBJECT, agents))),
      ...declared.map(known),
    ),
    narrower: [
      'tokens of somebody who acts for another (`act`, or a listed agent)',
      'tokens that are bound to a key (`cnf`)',
      'tokens with a declared claim of another type',
      'tokens without `kid`',
      'tokens whose `scope` or `scp` is a list',
      'tokens that name their client by `azp` alone',
    ],
    claims: Object.fromEntries(
      declared
        // Derived where the token doesn't have it.
        .filter(({ path }) => path[0] !== 'client_id' || (client.claim === 'client_id' && client.when !== 'or-subject'))
        .map(({ name: claim, type: claimType, path }) => [claim, { path: payload(...path), type: claimType }]),
    ),
    appOnly,
    listedClient: all(appOnly, isListed),
    kinds: { human: not(appOnly), workload: appOnly },
    capped,
    hasScope: (scope) =>
      any(
        test({ is: 'word', path: payload('scope'), word: scope }),
        all(absent(payload('scope')), test({ is: 'word', path: payload('scp'), word: scope })),
      ),
  }
}
