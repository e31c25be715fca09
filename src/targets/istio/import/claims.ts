/** Claims that policies of Istio ask about, as they are declared here, and what is asked of them in CEL. */
import { oidcClaims } from '../../../identity/oidc/claims.ts'
import type { ClaimAsked } from './callers.ts'
import type { AcceptedIssuer } from './issuers.ts'
import { either, isOneOf, Names, quoted, type Text } from './texts.ts'

export interface DeclaredClaim {
  readonly name: string
  readonly path: readonly string[]
  /** `words` is a text of words, which Istio takes apart. */
  readonly type: 'string' | 'list' | 'words'
}

/** By which the type of a claim is guessed that nobody has declared. */
const LISTS = /(?:[^s]s|permission)$/i
const TEXTS = new Set(['sub', 'iss', 'aud', 'azp', 'acr', 'address', 'status', 'hd', 'tid', 'oid', 'upn', 'email', 'name'])
/** In ours it is also the `azp` of tokens that have no other. */
const DERIVED = 'client_id'

export class Claims {
  readonly #names = new Names()
  readonly #byPath = new Map<string, DeclaredClaim>()
  readonly #byIssuer = new Map<string, Map<string, DeclaredClaim>>()
  readonly #words: ReadonlySet<string>

  /** @param words Claims at the top whose texts are lists of words, at whatever workload */
  constructor(words: Iterable<string>) {
    this.#words = new Set(words)
  }

  /** Declares it for issuers. Undefined for one that means something else here. */
  declare(path: readonly string[], issuers: readonly AcceptedIssuer[]): DeclaredClaim | undefined {
    if (path.length === 1 && path[0] === DERIVED) return undefined
    const key = JSON.stringify(path)
    const declared = this.#byPath.get(key) ?? {
      name: this.#names.give(identifier(path.at(-1)!), identifier(path.join('_'))),
      path,
      type: this.#typeOf(path),
    }
    this.#byPath.set(key, declared)
    for (const { issuer } of issuers) {
      const own = this.#byIssuer.get(issuer.name) ?? new Map<string, DeclaredClaim>()
      this.#byIssuer.set(issuer.name, own.set(key, declared))
    }
    return declared
  }

  /** What `issuers.<name>.claims` has to say. */
  declaredBy(issuer: string): Readonly<Record<string, unknown>> {
    const own = [...(this.#byIssuer.get(issuer)?.values() ?? [])].filter(({ name, path, type }) => !isBuiltIn(name, path, type))
    return Object.fromEntries(
      own
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, path, type }) => {
          const written = type === 'words' ? 'string' : type
          return [name, path.length === 1 && path[0] === name ? written : { type: written, path }]
        }),
    )
  }

  all(): readonly DeclaredClaim[] {
    return [...this.#byPath.values()]
  }

  #typeOf(path: readonly string[]): DeclaredClaim['type'] {
    const last = path.at(-1)!
    if (path.length === 1 && this.#words.has(last)) return 'words'
    if (path.length === 1 && Object.hasOwn(oidcClaims, last)) {
      const { type } = oidcClaims[last as keyof typeof oidcClaims]
      return type === 'list' ? 'list' : 'string'
    }
    return !TEXTS.has(last) && (LISTS.test(last) || last === 'amr') ? 'list' : 'string'
  }
}

function isBuiltIn(name: string, path: readonly string[], type: DeclaredClaim['type']): boolean {
  if (path.length !== 1 || path[0] !== name || !Object.hasOwn(oidcClaims, name)) return false
  return oidcClaims[name as keyof typeof oidcClaims].type === (type === 'words' ? 'string' : type)
}

export function claimExpression({ name }: DeclaredClaim): string {
  return `claims.${name}`
}

/** A name that may stand behind a dot in CEL, where alone it can be asked whether it is there. */
function identifier(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(plain) && !RESERVED.has(plain) ? plain : `claim_${plain}`
}

/** Words of CEL. */
const RESERVED = new Set(
  'as,break,const,continue,else,false,for,function,if,import,in,let,loop,namespace,null,package,return,true,var,void,while'.split(','),
)

/** That the claim has one of the texts. It fails where the claim is not there. */
export function hasOne(claim: DeclaredClaim, texts: readonly Text[]): string {
  const expression = claimExpression(claim)
  switch (claim.type) {
    case 'string':
      return isOneOf(expression, texts)
    case 'words':
      return either(texts.map((one) => hasWord(expression, one)))
    case 'list': {
      const exact = texts.filter(({ is }) => is === 'exact')
      const others = texts.filter(({ is }) => is !== 'exact')
      return either([
        ...exact.map(({ text }) => `${quoted(text)} in ${expression}`),
        ...(others.length === 0 ? [] : [`${expression}.exists(one, ${isOneOf('one', others)})`]),
      ])
    }
  }
}

function hasWord(expression: string, { is, text }: Text): string {
  const plain = text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)
  const pattern = { exact: plain, prefix: `${plain}[^ ]*`, suffix: `[^ ]*${plain}`, any: '[^ \\n]+' }[is]
  return `${expression}.matches(${quoted(`(^| )${pattern}( |$)`)})`
}

/** A condition that is true of whoever is asked about, and false of everybody else whose claims can be told. */
export function conditionOf(claim: DeclaredClaim, { texts, isSo }: ClaimAsked, mayBeMissing: boolean): string {
  const has = `has(${claimExpression(claim)})`
  if (isSo) return mayBeMissing ? `${has} && ${hasOne(claim, texts)}` : hasOne(claim, texts)
  return `(!${has} || !(${hasOne(claim, texts)}))`
}
