import { MAX_DEPTH, readByCharacter, type JsonObject, type JsonValue } from './jsonreader.ts'

export { MAX_DEPTH, type JsonObject, type JsonValue } from './jsonreader.ts'

/**
 * Reads JSON as strictly as a credential deserves (RFC 8259, RFC 8725 §2.4): one value, no member name twice, at most 16 deep, no number
 * beyond a double, no lone surrogate. Undefined for anything else; never throws. For all text that comes from outside.
 */
export function readJsonText(text: string): JsonValue | undefined {
  if (!text.isWellFormed()) return undefined
  // V8 13.6 takes a name with an escape for one that it saw at this place before: `{"a":0,"\"":1}` after `{"a":0,"\\":1}` has no `"` in it.
  return text.includes('\\') ? readByCharacter(text) : readByEngine(text)
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Faster, where there is no escape: the engine judges the form, and what it lets through is judged here. */
function readByEngine(text: string): JsonValue | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  // The engine keeps the last of two members of one name: then there are fewer than the text has.
  return settle(value, 0) === membersOf(text) ? (value as JsonValue) : undefined
}

/** Takes the prototype from all objects and counts their members; NaN for what is refused. */
function settle(value: unknown, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) members += settle(item, depth + 1)
    return members
  }
  const object = Object.setPrototypeOf(value, null) as Readonly<Record<string, unknown>>
  // Without a prototype there are no members but its own.
  for (const name in object) members += 1 + settle(object[name], depth + 1)
  return members
}

/** How many members the objects of a text have that is known to be JSON without escapes: a colon each, outside of strings. */
function membersOf(text: string): number {
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x3a) members++
    else if (code === 0x22) at = text.indexOf('"', at + 1)
  }
  return members
}
