/** What Ostiary asks of a verified token before it believes it: as much of it as Istio can ask, and by name what it can't. */
import { isAlways, type Formula, type NativeIssuer, type TokenPath, type TokenTest } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { classesOf, type Assumption } from './assume.ts'
import { claimKey, conjunction, plainValue, settle, type Asking, type Condition, type Conditions } from './conditions.ts'

export interface ToldCredential {
  /** Besides the signature, `iss`, `aud`, `exp` and `nbf`, which RequestAuthentication looks after. */
  readonly conditions: Conditions
  /** What a token must not have, as far as it shows: assumed away in any case, and refused where it shows. */
  readonly unfit: Conditions
  /** What has to be assumed of this issuer's tokens, with the names of what it is about. */
  readonly assumed: ReadonlyMap<Assumption, ReadonlySet<string>>
}

/** @throws NoNativeForm where a question has neither a form in Istio nor a class */
export function toldCredential({ credential }: NativeIssuer, { settled, narrower }: Pick<Asking, 'settled' | 'narrower'>): ToldCredential {
  const assumed = new Map<Assumption, Set<string>>()
  let [conditions, unfit]: readonly [Conditions, Conditions] = [[], []]
  for (const part of partsOf(settle(credential, settled))) {
    if (isAbsence(part)) unfit = conjunction(unfit, shownBy(part.not.test.path))
    const told = isAbsence(part) ? [] : conditionsOf(part, narrower)
    conditions = conjunction(conditions, told)
    for (const one of isToldWholly(part, told) ? (['declared-claim-types'] as const) : classesOf(part)) {
      const names = assumed.get(one) ?? new Set()
      assumed.set(one, names)
      for (const name of namesOf(part))
        if (one === 'plain-headers' || !name.startsWith('header ') || one === 'access-tokens-only') names.add(name)
    }
  }
  return { conditions, unfit, assumed }
}

/** What has to be so one by one: no question of it may get lost in a larger one. */
function partsOf(formula: Formula): readonly Formula[] {
  if (isAlways(formula)) return []
  if ('all' in formula) return formula.all.flatMap(partsOf)
  if ('not' in formula && 'any' in formula.not) return formula.not.any.flatMap((one) => partsOf({ not: one }))
  if ('not' in formula && 'not' in formula.not) return partsOf(formula.not.not)
  return [formula]
}

/** Members by which objects show that are there although they must not: a whole object Istio doesn't see. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  cnf: ['jkt', 'x5t#S256'],
  act: ['sub', 'client_id'],
  _claim_names: ['groups', 'roles'],
}

interface Absence {
  readonly not: { readonly test: Extract<TokenTest, { readonly is: 'present' }> }
}

function isAbsence(part: Formula): part is Formula & Absence {
  return 'not' in part && 'test' in part.not && part.not.test.is === 'present' && part.not.test.path.part === 'payload'
}

/** Whether nothing is left open but the type: a text could be in a list. */
function isToldWholly(part: Formula, told: Conditions): boolean {
  const inner = 'not' in part ? part.not : part
  return told.length > 0 && 'test' in inner && (inner.test.is === 'value' || inner.test.is === 'matches')
}

/** Each is true only of a token that has something there. */
function shownBy({ names }: TokenPath): Conditions {
  const inside = names.length === 1 && Object.hasOwn(MEMBERS, names[0]!) ? MEMBERS[names[0]!]! : []
  return [[], ...inside.map((member) => [member])].map((rest) => ({
    key: claimKey({ part: 'payload', names: [...names, ...rest] }),
    values: ['*'],
  }))
}

/** True wherever the part is; what it leaves open is told by its classes. */
function conditionsOf(part: Formula, narrower: (text: string) => void): Conditions {
  const isSo = !('not' in part)
  const inner = 'not' in part ? part.not : part
  if (!('test' in inner) || !isTold(inner.test)) return []
  return conditionsOfTest(inner.test, isSo, narrower)
}

function isTold(test: TokenTest): boolean {
  return 'path' in test && test.path.part === 'payload'
}

function conditionsOfTest(test: TokenTest, isSo: boolean, narrower: (text: string) => void): Conditions {
  switch (test.is) {
    case 'value':
      if (!test.values.every((one) => typeof one === 'string')) return []
      return [conditionOf(test.path, isSo, test.values.map(plainValue))]
    case 'length':
      return isSo ? [{ key: claimKey(test.path), values: ['*'] }] : []
    case 'matches': {
      const texts = textsOf(test.pattern)
      if (texts === undefined) {
        // What must be like something may be assumed to be; what must not be would be let in.
        if (!isSo) throw new NoNativeForm(`Istio has no patterns (claim \`${test.path.names.join('.')}\`)`)
        return []
      }
      if (isSo)
        narrower(`tokens with \`${test.path.names.join('.')}\` in other letters than ${texts.map((one) => `\`${one}\``).join(', ')}`)
      return [conditionOf(test.path, isSo, [...new Set(texts.flatMap((one) => [one, one.toLowerCase()]))].map(plainValue))]
    }
    default:
      return []
  }
}

function conditionOf(path: TokenPath, isSo: boolean, values: readonly string[]): Condition {
  const key = claimKey(path)
  return isSo ? { key, values } : { key, notValues: values }
}

/** The texts, but for their letters' case, that a pattern of `isLike` matches; undefined for a pattern of another form. */
function textsOf(pattern: string): readonly string[] | undefined {
  const inner = /^\(\?i\)\(\?:([\s\S]*)\)$/.exec(pattern)?.[1]
  if (inner === undefined) return undefined
  const texts = inner.match(/(?:\\[\s\S]|[^\\|])+/g) ?? []
  if (texts.join('|') !== inner || texts.some((one) => /(?<!\\)[\^$.*+?()[\]{}]|\\[A-Za-z0-9]/.test(one.replaceAll('\\\\', ''))))
    return undefined
  return texts.map((one) => one.replaceAll(/\\([\s\S])/g, '$1'))
}

function namesOf(formula: Formula): readonly string[] {
  if ('not' in formula) return namesOf(formula.not)
  if (!('test' in formula)) return ('all' in formula ? formula.all : formula.any).flatMap(namesOf)
  const { test } = formula
  if (!('path' in test)) return []
  return [`${test.path.part === 'header' ? 'header ' : ''}${test.path.names.join('.')}`]
}
