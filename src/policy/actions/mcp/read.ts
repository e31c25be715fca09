import type { McpAction } from '../../../core/action.ts'
import { asciiProblem, isProblem, notKnown, textProblem, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { METHODS, WITH_NAME } from './known.ts'

const FORM = 'write for example `tools/call search_orders {"limit": 5}` or `tools/list`'

/** Reads one concrete action. Arguments follow as JSON. */
export function readAction(text: string): McpAction | Problem {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const brace = text.indexOf(' {')
  const head = brace === -1 ? text : text.slice(0, brace)
  const wrong = asciiProblem(head)
  if (wrong !== undefined) return wrong
  const [method = '', name, ...more] = head.split(' ')
  if (more.length > 0) return { problem: 'it is a method, a name and arguments', help: FORM }
  const given = brace === -1 ? undefined : objectOf(text.slice(brace + 1))
  if (brace !== -1 && given === undefined) return { problem: 'its arguments are no object in JSON', help: FORM }
  return made(method, name, given)
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function made(method: string, name: string | undefined, given: Readonly<Record<string, unknown>> | undefined): McpAction | Problem {
  if (!METHODS.includes(method)) return notKnown(method, 'the methods', METHODS)
  const needs = WITH_NAME.has(method)
  if (needs && name === undefined) return { problem: `\`${method}\` says not which`, help: FORM }
  if (!needs && name !== undefined) return { problem: `\`${method}\` has no name`, help: `write \`${method}\` alone` }
  if (given !== undefined && method !== 'tools/call' && method !== 'prompts/get')
    return { problem: `\`${method}\` has no arguments`, help: FORM }
  const action: McpAction = { protocol: 'mcp', method, name: name ?? '', ...(given === undefined ? {} : { arguments: given }) }
  return isCanonical(action) ? action : { problem: `\`${name}\` is no name that \`${method}\` can have`, help: FORM }
}

/** The same from a method and properties; `arguments` is an object. */
export function readParts(method: string, properties: Readonly<Record<string, unknown>>): McpAction | Problem {
  const read = textProperties(properties, ['name'], ['arguments'])
  if (isProblem(read)) return read
  const given = properties['arguments']
  if (given !== undefined && !isObject(given)) return { problem: 'the property `arguments` is no object' }
  return made(method, read.name, given)
}
