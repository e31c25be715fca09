/**
 * Tokens as they usually are. A condition is looked up by Envoy value by value and costs as much as all else of a request; matchers cost
 * next to nothing, but can't ask everything. So what a condition would ask is asked of most tokens in a narrower form that matchers have:
 * a list with some text in it for a list, a short text in ASCII for a text that isn't long. What isn't like that is asked as before.
 */
import { ALWAYS, all, any, not, test, type Formula, type TokenPath, type TokenTest } from '../core/token.ts'

/** Longest text that is taken for short: an Envoy that isn't told otherwise takes no larger program of a regular expression. */
const SHORT = 48
/** Any text, as a pattern. */
export const TEXT = '(?s).*'
const shortText = (most: number): string => `[ -~]{1,${most}}`

/** Parts of a formula, all of which have to be so. */
export interface Plain {
  /** For matchers alone. */
  readonly matched: Formula
  /** For a condition. */
  readonly asked: readonly Formula[]
}

/** A formula that is true only where the given one is, with less to ask; undefined where nothing is gained. */
export function plainOf(formula: Formula, isMatched: (one: Formula) => boolean): Plain | undefined {
  const matched: Formula[] = []
  const asked: Formula[] = []
  let gained = 0
  for (const part of 'all' in formula ? formula.all : [formula]) {
    const narrower = isMatched(part) ? part : narrowed(part)
    if (narrower === undefined || !isMatched(narrower)) asked.push(part)
    else {
      matched.push(narrower)
      if (narrower !== part) gained++
    }
  }
  return gained === 0 ? undefined : { matched: all(...matched), asked }
}

function narrowed(formula: Formula): Formula | undefined {
  if ('not' in formula) return formula
  if ('test' in formula) return narrowedTest(formula.test)
  const parts = ('all' in formula ? formula.all : formula.any).map(narrowed)
  if (!parts.every((one) => one !== undefined)) return undefined
  return 'all' in formula ? all(...parts) : any(...parts)
}

function narrowedTest(one: TokenTest): Formula | undefined {
  if (one.is === 'length') return test({ is: 'matches', path: one.path, pattern: shortText(Math.min(one.most, SHORT)) })
  if (one.is !== 'type') return test(one)
  switch (one.type) {
    case 'string':
    case 'boolean':
      return test(one)
    case 'number':
      return test({ is: 'compare', path: one.path, op: '>=', value: 0 })
    case 'list':
      return test({ is: 'texts', path: one.path })
    case 'object':
      return undefined
  }
}

/** Whether there is a truth value, as matchers ask it. */
export function booleans(path: TokenPath): Formula {
  return any(...[true, false].map((value) => test({ is: 'value', path, type: 'boolean', values: [value] })))
}

/** What is so of every token wherever these questions are asked: which answer follows from which. */
export function consequences(tests: readonly TokenTest[]): Formula {
  const byPath = new Map<string, TokenTest[]>()
  for (const one of tests) {
    if (!('path' in one)) continue
    const key = JSON.stringify(one.path)
    const list = byPath.get(key)
    if (list === undefined) byPath.set(key, [one])
    else list.push(one)
  }
  const found = [...byPath.values()].flatMap((list) =>
    list.flatMap((one) => list.filter((other) => follows(other, one)).map((other) => any(not(test(one)), test(other)))),
  )
  return found.length === 0 ? ALWAYS : all(...found)
}

/** Of the same path. */
function follows(one: TokenTest, from: TokenTest): boolean {
  if (from.is === 'matches') {
    if (one.is === 'type') return one.type === 'string'
    const most = /^\[ -~\]\{1,([1-9][0-9]*)\}$/.exec(from.pattern)?.[1]
    return one.is === 'length' && most !== undefined && Number(most) <= one.most
  }
  if (one.is !== 'type') return false
  if (from.is === 'texts') return one.type === 'list'
  if (from.is === 'compare') return one.type === 'number'
  return from.is === 'value' && from.type !== 'list' && one.type === from.type
}
