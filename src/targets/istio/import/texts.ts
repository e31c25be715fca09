/** Istio's texts: one, what begins or ends so, or any that is there. */
import { ANY_TEXT, textMatcher } from '../translate/matchers.ts'
import type { Json } from '../translate/types.ts'

export interface Text {
  readonly is: 'exact' | 'prefix' | 'suffix' | 'any'
  readonly text: string
}

/** What Istio makes of a value. */
export function textOf(value: string): Text {
  return textOfMatcher(textMatcher(value))
}

/** What one of Istio's own matchers of texts says. @throws Error for one of another form */
export function textOfMatcher(matcher: Json): Text {
  if (JSON.stringify(matcher) === JSON.stringify(ANY_TEXT)) return { is: 'any', text: '' }
  for (const is of ['exact', 'prefix', 'suffix'] as const) {
    const text = matcher[is]
    if (typeof text === 'string') return { is, text }
  }
  throw new Error('this matcher of texts is not known')
}

/** Without line breaks, which `any` doesn't cover. */
export function isMatch({ is, text }: Text, value: string): boolean {
  switch (is) {
    case 'exact':
      return value === text
    case 'prefix':
      return value.startsWith(text)
    case 'suffix':
      return value.endsWith(text)
    case 'any':
      return /^.+$/.test(value)
  }
}

/** A text of CEL. */
export function quoted(text: string): string {
  return JSON.stringify(text)
}

/** A condition of CEL: whether an expression, which is a text, is one of these. */
export function isOneOf(expression: string, texts: readonly Text[]): string {
  const exact = texts.filter(({ is }) => is === 'exact').map(({ text }) => quoted(text))
  const parts = [
    ...(exact.length === 0 ? [] : [exact.length === 1 ? `${expression} == ${exact[0]!}` : `${expression} in [${exact.join(', ')}]`]),
    ...texts.flatMap(({ is, text }) => {
      if (is === 'prefix') return [`${expression}.startsWith(${quoted(text)})`]
      if (is === 'suffix') return [`${expression}.endsWith(${quoted(text)})`]
      // As Istio has it, which sees no text in one with a line break.
      return is === 'any' ? [`${expression}.matches("^.+$")`] : []
    }),
  ]
  return either(parts)
}

export function either(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : `(${parts.join(' || ')})`
}

/** A name of ours out of whatever Istio calls it. */
export function nameFrom(text: string): string {
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 50)
    .replaceAll(/-+$/g, '')
  return name === '' ? 'unnamed' : name
}

/** Names that are given once. */
export class Names {
  readonly #taken: Set<string>

  constructor(taken: readonly string[] = []) {
    this.#taken = new Set(taken)
  }

  /** The first of the wishes that is free; otherwise the last with a number. */
  give(...wishes: readonly [string, ...string[]]): string {
    const free = wishes.find((one) => !this.#taken.has(one))
    let name = free ?? wishes.at(-1)!
    for (let i = 2; this.#taken.has(name); i++) name = `${wishes.at(-1)!}-${i}`
    this.#taken.add(name)
    return name
  }
}
