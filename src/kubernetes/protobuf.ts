/**
 * Questions about access as clients of Go write them: `application/vnd.kubernetes.protobuf`, which is `k8s\0` and a `runtime.Unknown`
 * (`k8s.io/apimachinery/pkg/runtime/generated.proto`) around the object. Only what these questions have is read.
 */

/** Before every object. */
export const MAGIC = Buffer.from('k8s\0', 'latin1')

/** Fields of a message by number, as they came: octets, or a number. */
type Message = ReadonlyMap<number, readonly (Buffer | number)[]>

/** The largest number of a field. */
const MAX_NUMBER = 2 ** 29 - 1
/** Fields of one message at most. */
const MAX_FIELDS = 256

/** Undefined for what is no message. */
export function readMessage(bytes: Buffer): Message | undefined {
  const fields = new Map<number, (Buffer | number)[]>()
  let at = 0
  let count = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) return Number.NaN
      const byte = bytes[at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : Number.NaN
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    // Go takes the lower half of a number that is larger than fields have.
    if (!(number > 0 && number <= MAX_NUMBER) || ++count > MAX_FIELDS) return undefined
    let value: Buffer | number
    if (type === 0) value = varint()
    else if (type === 2) {
      const length = varint()
      if (!(length <= bytes.length - at)) return undefined
      value = bytes.subarray(at, (at += length))
    } else return undefined
    if (Number.isNaN(value)) return undefined
    const all = fields.get(number)
    if (all === undefined) fields.set(number, [value])
    else all.push(value)
  }
  return fields
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** A text that stands at most once. Undefined where there is none; null for what is no text. */
function textOf(message: Message, number: number): string | undefined | null {
  const all = message.get(number)
  if (all === undefined) return undefined
  const [value] = all
  if (all.length > 1 || !(value instanceof Uint8Array)) return null
  try {
    return decoder.decode(value)
  } catch {
    return null
  }
}

function messageOf(message: Message, number: number): Message | undefined | null {
  const all = message.get(number)
  if (all === undefined) return undefined
  const [value] = all
  return all.length > 1 || !(value instanceof Uint8Array) ? null : (readMessage(value) ?? null)
}

const RESOURCE = ['namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'] as const
const PATH = ['path', 'verb'] as const

/** Fields by their numbers, from 1 on; undefined where one is no text. */
function textsOf(message: Message, names: readonly string[]): Record<string, string> | undefined {
  const found: Record<string, string> = {}
  for (const [index, name] of names.entries()) {
    const text = textOf(message, index + 1)
    if (text === null) return undefined
    if (text !== undefined && text !== '') found[name] = text
  }
  return found
}

/** The object as JSON would have it, without metadata and status; undefined for what can't be read. */
export function readReview(bytes: Buffer): Record<string, unknown> | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const unknown = readMessage(bytes.subarray(MAGIC.length))
  const types = unknown === undefined ? undefined : messageOf(unknown, 1)
  const object = unknown === undefined ? undefined : messageOf(unknown, 2)
  const type = types == null ? undefined : textsOf(types, ['apiVersion', 'kind'])
  if (object == null || type === undefined) return undefined
  const spec = messageOf(object, 2)
  if (spec == null) return undefined
  if (type['kind'] === 'SelfSubjectRulesReview') {
    const read = textsOf(spec, ['namespace'])
    return read === undefined ? undefined : { ...type, spec: read }
  }
  if (type['kind'] !== 'SelfSubjectAccessReview') return undefined
  const resource = messageOf(spec, 1)
  const path = messageOf(spec, 2)
  // What it selects by would be lost here, and is more than a name.
  if (resource === null || path === null || resource?.has(8) === true || resource?.has(9) === true) return undefined
  const resourceAttributes = resource === undefined ? undefined : textsOf(resource, RESOURCE)
  const nonResourceAttributes = path === undefined ? undefined : textsOf(path, PATH)
  if ((resource !== undefined && resourceAttributes === undefined) || (path !== undefined && nonResourceAttributes === undefined))
    return undefined
  return {
    ...type,
    spec: {
      ...(resourceAttributes === undefined ? {} : { resourceAttributes }),
      ...(nonResourceAttributes === undefined ? {} : { nonResourceAttributes }),
    },
  }
}
