import type { McpAction } from '../../../core/action.ts'
import { fieldOf } from '../celltext.ts'
import type { CellInput, Scalar } from '../cells.ts'
import { jsonOf } from '../json.ts'
import { formOf } from '../sets/form.ts'
import { literalMachine, pathMachine } from '../sets/machine.ts'
import { globsNeed, wordsNeed } from '../sets/needs.ts'
import type { Language } from '../sets/partition.ts'
import { hasWord } from '../sets/words.ts'
import type { Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { OF_PROMPTS, OF_TOOLS, OF_URIS, WITH_NAME } from './known.ts'
import type { McpPattern } from './template.ts'

export const METHODS = formOf(/[A-Za-z][A-Za-z0-9_]*(?:\/[A-Za-z][A-Za-z0-9_]*){0,4}/, 128)
export const NAMES = formOf(/[A-Za-z0-9_][A-Za-z0-9_./:-]*/, 128)
const SEGMENT = String.raw`(?:[^\s/?#.\\"<>^{}|*\x60]|\.[^\s/?#.\\"<>^{}|*\x60]|\.\.[^\s/?#\\"<>^{}|*\x60])[^\s/?#\\"<>^{}|*\x60]*`
/** Somewhat more than `isUri` takes: what may not be encoded is looked at where an action is made. */
export const URIS = formOf(
  new RegExp(
    String.raw`[a-z][a-z0-9+.-]*:(?:\/\/[^A-Z\s/?#\\"<>^{}|*\x60]*)?\/?(?:${SEGMENT})?(?:\/(?:${SEGMENT}))*\/?(?:\?[^\s#\\"<>^{}|*\x60]*)?`,
  ),
  2048,
)

const METHOD: Step<McpPattern> = {
  field: 'method',
  choices: [
    ...[...WITH_NAME].map((value) => ({
      kind: 'value' as const,
      value,
      tag: OF_URIS.includes(value) ? 'uri' : 'named',
      meets: ({ methods }: McpPattern) => hasWord(methods, value),
    })),
    { kind: 'texts', form: METHODS, but: [...WITH_NAME].map(literalMachine), quiet: true, needs: ({ methods }) => wordsNeed(methods) },
  ],
}
const needs = ({ name }: McpPattern): readonly Language[] => {
  if (name.kind === 'any') return []
  return name.kind === 'glob' ? globsNeed([name.glob]) : [{ machines: [pathMachine(name.path)], every: false }]
}
const NAME: Step<McpPattern> = { field: 'name', choices: [{ kind: 'texts', form: NAMES, needs }] }
const URI: Step<McpPattern> = { field: 'name', choices: [{ kind: 'texts', form: URIS, needs }] }
const NO_NAME: Step<McpPattern> = { field: 'name', choices: [{ kind: 'value', value: '', meets: ({ name }) => name.kind === 'any' }] }

/** A value in the arguments, as JSON: of a shape that nobody declared. */
function argument(name: string): CellInput {
  return {
    kind: 'open',
    key: `request.${name}`,
    type: 'json',
    admits: () => true,
    mayFail: false,
    tries: (named: readonly Scalar[]) => {
      const near = named.flatMap((one): readonly unknown[] =>
        typeof one === 'number' ? [one, one + 1, one - 1] : [one, `${one}x`, `x${one}`, [one], { [String(one)]: one }],
      )
      return ['', '{}', '[]', ...near.map((one) => JSON.stringify(one))]
    },
  }
}

export const space: Space<McpAction, McpPattern> = {
  next: (tags) => {
    if (!tags.has('method')) return METHOD
    if (tags.has('name')) return undefined
    const tag = tags.get('method')
    return tag === 'uri' ? URI : tag === 'named' ? NAME : NO_NAME
  },
  valueOf: (action, field) => (field === 'method' ? action.method : action.name),
  action: ({ text, given: values }) => {
    const method = text('method')
    const given = [...values].flatMap(([key, value]) =>
      key.startsWith('request.arguments') ? [[key.slice(8), String(value ?? '')] as const] : [],
    )
    const takes = OF_TOOLS.includes(method) || OF_PROMPTS.includes(method)
    const made = takes && given.length > 0 ? jsonOf(given) : undefined
    return { protocol: 'mcp', method, name: text('name'), ...(made === undefined ? {} : { arguments: made }) }
  },
  isCanonical,
  input: (name, tags) => (/^arguments(?![A-Za-z])/.test(name) && tags.get('method') === 'named' ? argument(name) : undefined),
  first: 'method',
  rest: (cell) => (cell.tag('method') === '' ? '' : ` ${fieldOf(cell, 'name')}`),
}
