import type { Wiring } from '../../../config/schema.ts'
import { CLOCK_SKEW_MS } from '../../../core/clock.ts'
import type { Identity } from '../../../core/principal.ts'
import { declaredClaims } from '../../../identity/claims.ts'
import { issuerKinds } from '../../../identity/index.ts'
import type { CompiledPolicy } from '../../../policy/index.ts'

/** Who a good token is here, and what that is worth. */
export interface Standing {
  readonly issuer: string
  readonly subject: string
  readonly kind: string
  readonly client: string | undefined
  readonly scopes: readonly string[] | undefined
  /** Those who act for it, the nearest first: `kind subject`. */
  readonly actors: readonly string[]
  /** Claims that policy may speak of, by name: those that the token has, and those that it lacks. */
  readonly claims: { readonly there: readonly string[]; readonly absent: readonly string[] }
  /** Those that can't be told, with why. */
  readonly unknown: readonly { readonly claim: string; readonly because: string }[]
  /** Undefined where the policy is refused, so that there are none. */
  readonly roles: readonly { readonly role: string; readonly because: string }[] | undefined
  readonly unknownRoles: readonly { readonly role: string; readonly because: string }[]
  /** What will not go as may be expected, with the change to make. */
  readonly doubts: readonly { readonly found: string; readonly help: string }[]
}

export interface Here {
  readonly wiring: Wiring
  readonly policy: CompiledPolicy | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

export function standingOf(identity: Identity, here: Here): Standing {
  const { wiring, policy } = here
  const config = wiring.issuers[identity.issuer]!
  const declared = declaredClaims(issuerKinds[config.kind]!.claims, config.claims).map(({ name }) => name)
  const principal = policy?.bind(identity)
  const because = (claim: string | undefined, value?: string): string =>
    claim === undefined ? 'built in' : value === undefined ? `claim \`${claim}\`` : `claim \`${claim}\` with \`${value}\``
  const of = (state: 'held' | 'unknown') =>
    (principal?.provenance ?? [])
      .filter((one) => one.state === state)
      .map(({ role, claim, value }) => ({ role, because: because(claim, value) }))
  return {
    issuer: identity.issuer,
    subject: identity.subject,
    kind: identity.kind,
    client: identity.evidence.client,
    scopes: identity.scopes,
    actors: actorsOf(identity),
    claims: {
      there: declared.filter((name) => Object.hasOwn(identity.claims, name)),
      absent: declared.filter((name) => !Object.hasOwn(identity.claims, name) && !identity.unknownClaims.has(name)),
    },
    unknown: [...identity.unknownClaims].map((claim) => ({
      claim,
      because: identity.unknownBecause?.[claim] ?? 'the token leaves it open, or has it in another type than declared',
    })),
    roles: principal === undefined ? undefined : of('held'),
    unknownRoles: of('unknown'),
    doubts: [...doubts(identity, principal?.roles, here)],
  }
}

function actorsOf(identity: Identity): readonly string[] {
  const actors: string[] = []
  for (let at = identity.actor; at !== undefined; at = at.actor) actors.push(`${at.kind} ${at.subject}`)
  return actors
}

function* doubts(
  identity: Identity,
  roles: readonly string[] | undefined,
  { wiring, policy }: Here,
): Generator<Standing['doubts'][number]> {
  const { issuer, evidence, appOnly, listedClient, unknownClaims, scopes } = identity
  if (policy === undefined) yield { found: 'the policy is refused, so that roles can not be told', help: 'see `ostiary check`' }
  if (appOnly && !listedClient && roles !== undefined && !roles.some((role) => role !== 'everyone'))
    yield {
      found: 'it is app-only, has no role here, and its client is not listed, so it counts as nobody',
      help: 'assign an app role to the client at the provider and bind a role to it, or list the client under `clients` of the issuer',
    }
  if (!appOnly && roles !== undefined && roles.every((role) => role === 'everyone' || role === 'authenticated'))
    yield { found: 'it holds no role but the built-in ones', help: 'compare the claims that it lacks with the bindings in policy/' }
  if (unknownClaims.has('groups'))
    yield {
      found: 'its groups do not fit into the token, so roles by group are unknown, which denies',
      help: 'write `graph:` on the issuer, use app roles, or have the registration name "Groups assigned to the application" only',
    }
  for (const [name, resource] of Object.entries(wiring.resources)) {
    const { issuers, maxTokenLifetime, scopes: map } = resource
    if (issuers !== undefined && !issuers.includes(issuer))
      yield { found: `the resource \`${name}\` does not accept this issuer`, help: `add \`${issuer}\` to its \`issuers\`, if it may` }
    const life = evidence.issuedAt === undefined ? undefined : evidence.expiresAt - evidence.issuedAt - CLOCK_SKEW_MS
    if (maxTokenLifetime !== undefined && life !== undefined && life > maxTokenLifetime)
      yield {
        found: `the resource \`${name}\` accepts tokens of at most ${maxTokenLifetime / 60_000} min, and this one has ${Math.round(life / 60_000)}`,
        help: 'shorten the life of tokens at the provider, or raise `maxTokenLifetime` of the resource',
      }
    if (map !== undefined && scopes !== undefined && !scopes.some((scope) => Object.hasOwn(map, scope)))
      yield {
        found: `none of its scopes is among those of the resource \`${name}\`, so it covers no action there`,
        help: `ask for one of ${Object.keys(map)
          .map((one) => `\`${one}\``)
          .join(', ')}`,
      }
  }
}
