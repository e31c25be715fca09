/**
 * Formulas about a token as `when` of an AuthorizationPolicy, which knows lists of texts and nothing else. What comes out is true only
 * where the formula is: an approximation from below is good for what allows and for what denies beside it, and never lets in more.
 */
import { isAlways, isNever, type Formula, type TokenPath, type TokenTest, type TokenValue } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import type { Assumption } from './assume.ts'

/** One entry of `when`: the key has one of the values, and none of the others. */
export interface Condition {
  readonly key: string
  readonly values?: readonly string[]
  readonly notValues?: readonly string[]
}

/** All of them have to be so. */
export type Conditions = readonly Condition[]

export interface Asking {
  /** What is true or false of every token there is: see `settledBy`. */
  readonly settled: (test: TokenTest) => boolean | undefined
  /** Claims at the top level that the mesh splits into words, besides `scope` and `permission`. */
  readonly split: ReadonlySet<string>
  /** By which attribute addresses are told; undefined where the wiring doesn't say. */
  readonly addresses: 'source' | 'remote' | undefined
  /** Classes and narrower readings that a translation relies on. */
  readonly needs: (one: Assumption) => void
  readonly narrower: (text: string) => void
}

/** More alternatives than this for one statement and class of caller are refused: so many rules a policy of Istio has at most. */
export const MAX_ALTERNATIVES = 512

export const AUTHORIZATION = 'request.headers[authorization]'

/** Entries of `when` that stand for each other's alternatives. @throws NoNativeForm for what can't be told */
export function alternativesOf(formula: Formula, asking: Asking): readonly Conditions[] {
  const told = translate(settle(formula, asking.settled), asking)
  return distinct(told.filter((one) => !contradicts(one)))
}

/** The same formula with what is settled put in. */
export function settle(formula: Formula, settled: Asking['settled']): Formula {
  if ('test' in formula) {
    const known = settled(formula.test)
    return known === undefined ? formula : known ? { all: [] } : { any: [] }
  }
  if ('not' in formula) {
    const inner = settle(formula.not, settled)
    if (isAlways(inner)) return { any: [] }
    if (isNever(inner)) return { all: [] }
    return { not: inner }
  }
  if ('all' in formula) {
    const parts = formula.all.map((one) => settle(one, settled)).filter((one) => !isAlways(one))
    if (parts.some(isNever)) return { any: [] }
    return parts.length === 1 ? parts[0]! : { all: parts }
  }
  const parts = formula.any.map((one) => settle(one, settled)).filter((one) => !isNever(one))
  if (parts.some(isAlways)) return { all: [] }
  return parts.length === 1 ? parts[0]! : { any: parts }
}

function translate(formula: Formula, asking: Asking): readonly Conditions[] {
  if ('test' in formula) return literal(formula.test, true, asking)
  if ('all' in formula) return product(formula.all.map((one) => translate(one, asking)))
  if ('any' in formula) return merged(formula.any.flatMap((one) => translate(one, asking)))
  const { not: inner } = formula
  if ('test' in inner) return literal(inner.test, false, asking)
  if ('not' in inner) return translate(inner.not, asking)
  if ('all' in inner) return translate({ any: inner.all.map((one) => ({ not: one })) }, asking)
  return translate({ all: inner.any.map((one) => ({ not: one })) }, asking)
}

function product(parts: readonly (readonly Conditions[])[]): readonly Conditions[] {
  return parts.reduce<readonly Conditions[]>(
    (before, next) => {
      if (before.length * next.length > MAX_ALTERNATIVES) throw new NoNativeForm(`it takes more than ${MAX_ALTERNATIVES} rules`)
      return distinct(before.flatMap((left) => next.map((right) => conjunction(left, right))).filter((one) => !contradicts(one)))
    },
    [[]],
  )
}

/** Each condition once. */
export function conjunction(left: Conditions, right: Conditions): Conditions {
  const seen = new Set(left.map(textOf))
  return [...left, ...right.filter((one) => !seen.has(textOf(one)))]
}

/** One condition with several values for alternatives of one condition each about the same key. */
function merged(all: readonly Conditions[]): readonly Conditions[] {
  const byKey = new Map<string, string[]>()
  const rest: Conditions[] = []
  for (const one of all) {
    const [only] = one
    if (one.length !== 1 || only?.values === undefined || only.notValues !== undefined) rest.push(one)
    else byKey.set(only.key, [...(byKey.get(only.key) ?? []), ...only.values])
  }
  return [...[...byKey].map(([key, values]) => [{ key, values: [...new Set(values)] }]), ...rest]
}

function distinct(all: readonly Conditions[]): readonly Conditions[] {
  return [...new Map(all.map((one) => [one.map(textOf).toSorted().join('\n'), one])).values()]
}

function textOf(one: Condition): string {
  return JSON.stringify([one.key, one.values, one.notValues])
}

/** A value has to be there that must not be: no token meets both. */
function contradicts(conditions: Conditions): boolean {
  return conditions.some(
    ({ key, values }) =>
      values !== undefined &&
      conditions.some(
        ({ key: other, notValues }) =>
          other === key && notValues !== undefined && (notValues.includes('*') || values.every((one) => notValues.includes(one))),
      ),
  )
}

/** `request.auth.claims[a][b]`. @throws NoNativeForm for names that can't stand in brackets */
export function claimKey({ part, names }: TokenPath): string {
  if (part === 'header') throw new NoNativeForm('it asks what stands in the header of a token')
  for (const name of names)
    if (name === '' || /[[\]]/.test(name)) throw new NoNativeForm(`the name \`${name}\` of a claim can not be written between brackets`)
  return `request.auth.claims${names.map((name) => `[${name}]`).join('')}`
}

/** A text that stands for itself and not for what begins or ends with it. @throws NoNativeForm */
export function plainValue(value: TokenValue): string {
  if (typeof value !== 'string') throw new NoNativeForm('Istio compares texts, and neither numbers nor truth values')
  if (value === '') throw new NoNativeForm('Istio can not compare with an empty text')
  if (value.startsWith('*') || value.endsWith('*')) throw new NoNativeForm(`a \`*\` at an end of \`${value}\` stands for anything to Istio`)
  return value
}

/** Whether the mesh makes a list of words of a claim that is a text. */
function isSplit({ part, names }: TokenPath, { split }: Asking): boolean {
  return part === 'payload' && names.length === 1 && (names[0] === 'scope' || names[0] === 'permission' || split.has(names[0]!))
}

const nothing: readonly Conditions[] = []
const anything: readonly Conditions[] = [[]]

function literal(test: TokenTest, isSo: boolean, asking: Asking): readonly Conditions[] {
  const one = (key: string, values: readonly string[]): readonly Conditions[] => [[isSo ? { key, values } : { key, notValues: values }]]
  switch (test.is) {
    case 'value': {
      if (test.values.length === 0) return isSo ? nothing : anything
      const values = test.values.map(plainValue)
      if (test.type === 'string' && isSplit(test.path, asking))
        throw new NoNativeForm(`Istio takes \`${test.path.names[0]}\` for a list of words`)
      asking.needs('declared-claim-types')
      return one(claimKey(test.path), values)
    }
    case 'present':
    case 'texts':
      asking.needs('declared-claim-types')
      if (isSo) asking.narrower('tokens with a claim that is there and empty, where policy asks whether it is there')
      else asking.needs('no-empty-claims')
      return one(claimKey(test.path), ['*'])
    case 'word': {
      const word = plainValue(test.word)
      const key = claimKey(test.path)
      asking.needs('declared-claim-types')
      if (isSplit(test.path, asking) && (isSo || !asking.split.has(test.path.names[0]!))) return one(key, [word])
      if (!isSo)
        throw new NoNativeForm(
          `not every version of Istio takes \`${test.path.names.join('.')}\` apart into words, and what it does not see it would let in`,
        )
      asking.narrower(
        `tokens with a scope between others in \`${test.path.names.join('.')}\`, which this version of Istio does not take apart`,
      )
      return one(key, [word, `${word} *`, `* ${word}`])
    }
    case 'address':
      if (asking.addresses === undefined)
        throw new NoNativeForm('it asks for the caller’s address, and `addresses` does not say which one that is')
      if (test.networks.length === 0) return isSo ? nothing : anything
      return one(
        `${asking.addresses}.ip`,
        test.networks.map(({ address, bits }) => `${address}/${bits}`),
      )
    case 'before':
      throw new NoNativeForm('it begins or ends at an instant, and Istio has no clock')
    case 'same':
      throw new NoNativeForm(
        `Istio can not compare two claims (\`${test.path.names.join('.')}\`, \`${test.other.names.join('.')}\`)${test.path.names[0] === 'sub' ? '; where no client gets tokens for itself, `assume: [no-app-only-tokens]` settles it' : ''}`,
      )
    case 'matches':
      throw new NoNativeForm(
        `Istio has no patterns (claim \`${test.path.names.join('.')}\`)${test.path.names[0] === 'scp' ? '; where every token has `idtyp`, `assume: [idtyp-always]` settles it' : ''}`,
      )
    case 'compare':
    case 'span':
    case 'past':
      throw new NoNativeForm(`Istio does not compare numbers (claim \`${test.path.names.join('.')}\`)`)
    case 'type':
    case 'length':
      throw new NoNativeForm(`Istio does not tell what type a claim has (\`${test.path.names.join('.')}\`)`)
  }
}
