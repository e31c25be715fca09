/** Questions that every kind of issuer asks of its tokens in their native form: see `NativeIssuer`. */
import { CLOCK_SKEW_MS } from '../core/clock.ts'
import { all, ALWAYS, any, header, NEVER, not, payload, test, type Formula, type NativeIssuer, type TokenPath } from '../core/token.ts'
import type { DeclaredClaim } from './claims.ts'
import { MAX_TOKEN } from './jose/compact.ts'
import { MAX_KID } from './jose/jwk.ts'

export function present(path: TokenPath): Formula {
  return test({ is: 'present', path })
}

export function absent(path: TokenPath): Formula {
  return not(present(path))
}

/** A text that isn't empty. */
export function text(path: TokenPath, most = MAX_TOKEN): Formula {
  return test({ is: 'length', path, most })
}

/** Absent or a text, an empty one included. */
export function textIfAny(path: TokenPath): Formula {
  return any(absent(path), test({ is: 'type', path, type: 'string' }))
}

/** One of these texts. */
export function isOne(path: TokenPath, values: readonly string[]): Formula {
  return values.length === 0 ? NEVER : test({ is: 'value', path, type: 'string', values })
}

/** A text that matches a pattern wholly, without regard to case. */
export function isLike(path: TokenPath, pattern: string): Formula {
  return test({ is: 'matches', path, pattern: `(?i)(?:${pattern})` })
}

/** The headers that every kind accepts: no extension, no key of its own, and an id for the key that signed. */
export const plainHeader: Formula = all(
  ...['crit', 'b64', 'enc', 'zip', 'jwk', 'jku', 'x5u', 'x5c'].map((member) => absent(header(member))),
  // Bytes are counted there, characters here.
  test({ is: 'length', path: header('kid'), most: Math.floor(MAX_KID / 3) }),
)

/** `exp`, `iat` and `nbf` are numbers, nothing is from the future, and it doesn't last longer than `maxLifetime` milliseconds. */
export function timely(maxLifetime: number): Formula {
  const [exp, iat, nbf] = ['exp', 'iat', 'nbf'].map((claim) => payload(claim)) as [TokenPath, TokenPath, TokenPath]
  const number = (path: TokenPath): Formula => test({ is: 'type', path, type: 'number' })
  return all(
    number(exp),
    any(absent(nbf), number(nbf)),
    test({ is: 'past', path: iat, skew: CLOCK_SKEW_MS / 1000 }),
    test({ is: 'span', path: exp, since: iat, most: maxLifetime / 1000 }),
  )
}

/** Nothing that is told elsewhere, and no key to prove. */
export const selfContained: Formula = all(...['cnf', '_claim_names'].map((claim) => absent(payload(claim))))

/** Absent, or of its type; the way there is made of objects as far as it goes. */
export function known({ type, path }: DeclaredClaim): Formula {
  const steps = path.map((_, index) => payload(...path.slice(0, index + 1)))
  return steps.reduceRight<Formula>((rest, step, index) => {
    const here =
      index === steps.length - 1 ? test({ is: 'type', path: step, type }) : all(test({ is: 'type', path: step, type: 'object' }), rest)
    return any(absent(step), here)
  }, ALWAYS)
}

/** Declared claims as tokens have them, and those that are derived: all but what `known` says of those. */
export function claimsOf(
  declared: readonly DeclaredClaim[],
  isDerived: (first: string) => boolean,
  known: NativeIssuer['claims'] = {},
): Pick<NativeIssuer, 'claims' | 'derived'> {
  const own = declared.filter(({ path }) => !isDerived(path[0]!)).map(({ name, type, path }) => [name, { path: payload(...path), type }])
  const claims = { ...(Object.fromEntries(own) as NativeIssuer['claims']), ...known }
  return { claims, derived: declared.flatMap(({ name }) => (Object.hasOwn(claims, name) ? [] : [name])) }
}
