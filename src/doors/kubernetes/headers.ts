/** Fields of requests and responses on their way between a client and a cluster. */
import type { Fields } from '../../http/engine.ts'
import { isDroppedFromResponse } from '../../http/names.ts'

/** A response's end-to-end fields. Where it came from is the gateway's to say. */
export function kept(fields: Fields): string[] {
  const listed = new Set<string>()
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i]!.toLowerCase() === 'connection') for (const token of fields[i + 1]!.split(',')) listed.add(token.trim().toLowerCase())
  const all: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase()
    if (isDroppedFromResponse(lower) || lower === 'set-cookie' || (listed.has(lower) && lower !== 'content-length')) continue
    all.push(fields[i]!, fields[i + 1]!)
  }
  return all
}

/** Forms of an object that have its fields where it has them. */
const IN_PLACE = /;as=PartialObjectMetadata(?:List)?(?=;|$)/

/**
 * What is filtered or masked is asked for in a form that can be read: JSON, not compressed.
 * @param tables Whether it may be a table, which has fields of its objects in its cells, and whole objects in its rows
 */
export function plainlyAsked(fields: readonly string[], tables: boolean): string[] {
  const all: string[] = []
  let accept = ''
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase()
    if (lower === 'accept') accept += `${accept === '' ? '' : ','}${fields[i + 1]!}`
    else if (lower !== 'accept-encoding') all.push(fields[i]!, fields[i + 1]!)
  }
  const json = accept
    .split(',')
    .map((one) => one.trim())
    .filter((one) => /^application\/json(?:;|$)/.test(one) && (tables || !/as\s*=/i.test(one.replace(IN_PLACE, ''))))
  return [...all, 'Accept', json.length === 0 ? 'application/json' : json.join(',')]
}

/** The first of a name, which is in lower case. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i]!.toLowerCase() === name) return fields[i + 1]!
  return undefined
}
