/**
 * Questions about a token as expressions of an API server's `AuthenticationConfiguration`. Every one is total: what it reads is looked for
 * and of the right type first, so that no error stands for *no*. There, nobody sees a token's header, nor what time it is.
 */
import type { Formula, TokenPath, TokenTest, TokenValue } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'

/**
 * An expression that is true wherever the formula is (`most`), or nowhere else (`least`): they differ by what can't be asked.
 * @param untold Called with what can't be asked
 * @throws NoNativeForm for a text that its texts don't have
 */
export function celOf(formula: Formula, as: 'most' | 'least', untold: (test: TokenTest) => void = () => undefined): string {
  if ('all' in formula) return joined(formula.all, '&&', 'true', as, untold)
  if ('any' in formula) return joined(formula.any, '||', 'false', as, untold)
  if ('not' in formula) {
    const inner = celOf(formula.not, as === 'most' ? 'least' : 'most', untold)
    return inner === 'true' ? 'false' : inner === 'false' ? 'true' : `!${inner}`
  }
  const told = ofTest(formula.test)
  if (told !== undefined) return told
  untold(formula.test)
  const { test } = formula
  if (as === 'least') return 'false'
  return 'path' in test && test.is === 'past' ? typed(test.path, 'number') : 'true'
}

function joined(
  parts: readonly Formula[],
  operator: '&&' | '||',
  none: string,
  as: 'most' | 'least',
  untold: (test: TokenTest) => void,
): string {
  const told = parts.map((one) => celOf(one, as, untold))
  const decided = none === 'true' ? 'false' : 'true'
  if (told.includes(decided)) return decided
  const open = told.filter((one) => one !== none)
  return open.length < 2 ? (open[0] ?? none) : `(${open.join(` ${operator} `)})`
}

/** A text as it is written there. @throws NoNativeForm */
export function celText(text: string): string {
  // What is no text of Unicode comes as this character there, and then so do others.
  if (!text.isWellFormed() || text.includes(NO_CHARACTER)) throw new NoNativeForm('it names a text that is none in Unicode')
  return JSON.stringify(text)
}

const NO_CHARACTER = '\uFFFD'

function value(one: TokenValue): string {
  return typeof one === 'string' ? celText(one) : typeof one === 'number' ? numeral(one) : String(one)
}

function numeral(one: number): string {
  const text = String(one)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/** The value; only behind `present`. */
export function celAt({ names }: TokenPath): string {
  return `dyn(claims${names.map((name) => `[${celText(name)}]`).join('')})`
}

/** There is something, and the way to it is made of objects. */
function present({ part, names }: TokenPath): string {
  const [first = '', ...rest] = names
  if (part !== 'payload') throw new TypeError('nobody sees a header')
  const steps = rest.map((name, index) => {
    const above: TokenPath = { part, names: names.slice(0, index + 1) }
    return `type(${celAt(above)}) == map && ${celText(name)} in ${celAt(above)}`
  })
  return [`claims[?${celText(first)}].hasValue()`, ...steps].join(' && ')
}

const TYPES: Readonly<Record<string, readonly string[]>> = {
  string: ['string'],
  // A whole number is an integer to some versions.
  number: ['double', 'int'],
  boolean: ['bool'],
  list: ['list'],
  object: ['map'],
}

function typed(path: TokenPath, type: string): string {
  const is = TYPES[type]!.map((one) => `type(${celAt(path)}) == ${one}`)
  return `(${present(path)} && ${is.length === 1 ? is[0]! : `(${is.join(' || ')})`})`
}

/** Undefined for what can't be asked. */
function ofTest(test: TokenTest): string | undefined {
  if (test.is === 'address' || test.is === 'before' || test.path.part === 'header' || test.is === 'past') return undefined
  const { path } = test
  const at = celAt(path)
  const and = (type: string, ...more: readonly string[]): string => `(${[typed(path, type), ...more].join(' && ')})`
  switch (test.is) {
    case 'present':
      return `(${present(path)})`
    case 'type':
      return typed(path, test.type)
    case 'value': {
      const values = `[${test.values.map(value).join(', ')}]`
      return test.type === 'list' ? and('list', `${at}.exists(e, e in ${values})`) : and(test.type, `${at} in ${values}`)
    }
    case 'texts':
      return and('list', `${at}.exists(e, type(e) == string)`)
    case 'same':
      return test.other.part === 'header' ? undefined : and('string', typed(test.other, 'string'), `${at} == ${celAt(test.other)}`)
    case 'matches':
      return and('string', `string(${at}).matches(${celText(String.raw`\A(?:${test.pattern})\z`)})`)
    case 'word':
      return and('string', `string(${at}).split(" ").exists(w, w == ${celText(test.word)})`)
    case 'length':
      return and('string', ...sized(`string(${at})`, test.most))
    case 'span':
      return test.since.part === 'header'
        ? undefined
        : and('number', typed(test.since, 'number'), `double(${at}) - double(${celAt(test.since)}) <= ${numeral(test.most)}`)
    case 'compare':
      return and('number', `double(${at}) ${test.op} ${numeral(test.value)}`)
  }
}

/** It counts characters, of which some are two units; and half of one has become another character on the way. */
function sized(text: string, most: number): readonly string[] {
  return [`${text} != ""`, `size(${text}) <= ${most}`, String.raw`!${text}.matches("[\\x{fffd}\\x{10000}-\\x{10ffff}]")`]
}
