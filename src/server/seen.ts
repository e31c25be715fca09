import { decisionInputs } from '../audit/index.ts'
import { readDecisions } from '../audit/replay.ts'
import type { Identity } from '../core/principal.ts'

/** Somebody as the record knows them. */
export interface SeenPrincipal {
  readonly identity: Identity
  /** RFC 3339: the last decision about them that was looked at. */
  readonly seenAt: string
}

export interface Seen {
  /** Sorted by issuer and subject. */
  readonly principals: readonly SeenPrincipal[]
  /** False where there was more than could be looked at. */
  readonly whole: boolean
}

/** Decisions that are looked at, and principals that are told of, at most. */
const MAX_DECISIONS = 200_000
const MAX_PRINCIPALS = 10_000

/** Who came here since, each once, as they were proven last. Whoever never came is not among them. Milliseconds since the epoch. */
export async function seenPrincipals(dir: string, since: number, until: number): Promise<Seen> {
  const found = new Map<string, SeenPrincipal>()
  let looked = 0
  let whole = true
  for await (const line of readDecisions(dir, since, until)) {
    if (line.kind === 'missing') continue
    const { decision, principal } = line
    if (++looked > MAX_DECISIONS) {
      whole = false
      break
    }
    const { identity } = decisionInputs(decision, principal)
    if (identity === undefined) continue
    const key = JSON.stringify([identity.issuer, identity.subject])
    if (!found.has(key) && found.size >= MAX_PRINCIPALS) whole = false
    else found.set(key, { identity, seenAt: decision.time })
  }
  return { principals: [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one), whole }
}
