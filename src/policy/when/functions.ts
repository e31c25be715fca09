import { celEnv, celFunc, celMethod, CelScalar, mapType, objectType, type CelEnv } from '@bufbuild/cel'
import { timestampMs, TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt'
import { RE2JS } from 're2js'
import { contains, parseAddress, parseNetwork, type Network } from './cidr.ts'
import type { Scalar, Type } from './types.ts'

/** What can be called, by name: each overload as receiver (undefined for a plain function), arguments and result. */
export interface Overload {
  readonly receiver: Type | undefined
  readonly parameters: readonly Type[]
  readonly result: Type
  /** Index of an argument that has to be a literal, so that it is checked, and paid for, at load. */
  readonly literal?: number
}

const LIST: Type = { element: 'nothing' }

function plain(parameters: readonly Type[], result: Type, literal?: number): Overload {
  return { receiver: undefined, parameters, result, ...(literal === undefined ? {} : { literal }) }
}

function method(receiver: Type, parameters: readonly Type[], result: Type, literal?: number): Overload {
  return { receiver, parameters, result, ...(literal === undefined ? {} : { literal }) }
}

const TIME_PARTS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

const conversions = (result: Scalar, from: readonly Scalar[]): readonly Overload[] => from.map((one) => plain([one], result))

/** Everything that a condition can call besides operators. */
export const FUNCTIONS: Readonly<Record<string, readonly Overload[]>> = {
  size: (['string', 'bytes', LIST] as const).flatMap((type) => [plain([type], 'int'), method(type, [], 'int')]),
  startsWith: [method('string', ['string'], 'bool')],
  endsWith: [method('string', ['string'], 'bool')],
  contains: [method('string', ['string'], 'bool')],
  matches: [method('string', ['string'], 'bool', 0)],
  inCidr: [plain(['string', 'string'], 'bool', 1)],
  timestamp: [plain(['string'], 'timestamp', 0)],
  duration: [plain(['string'], 'duration', 0)],
  int: conversions('int', ['int', 'uint', 'double', 'string', 'timestamp']),
  double: conversions('double', ['double', 'int', 'uint', 'string']),
  string: conversions('string', ['string', 'int', 'uint', 'double', 'bool', 'timestamp']),
  ...Object.fromEntries(
    Object.keys(TIME_PARTS).map((name) => [name, [method('timestamp', [], 'int'), method('timestamp', ['string'], 'int', 0)]]),
  ),
}

/** Instructions of a compiled pattern at most. `^[a-z]{2,20}$` has 45. */
const MAX_PROGRAM = 400

/** What is wrong with a literal argument, or undefined. `timestamp` and `duration` are tried by evaluation instead. */
export function literalProblem(name: string, text: string): string | undefined {
  if (name === 'matches') {
    try {
      const size = compiled(text).programSize()
      // Matching is linear in the text, times this.
      return size > MAX_PROGRAM ? `\`${text}\` is too large a pattern: ${size} steps, at most ${MAX_PROGRAM}` : undefined
    } catch (error) {
      return `\`${text}\` is not an RE2 pattern: ${error instanceof Error ? error.message.split('\n')[0] : 'not understood'}`
    }
  }
  if (name === 'inCidr') return network(text) === undefined ? `\`${text}\` is not a network such as \`10.0.0.0/8\`` : undefined
  if (Object.hasOwn(TIME_PARTS, name)) return zoneProblem(text)
  return undefined
}

/** What to write in place of a pattern that can't be matched in linear time, or undefined where that isn't known. */
export function patternHelp(text: string): string | undefined {
  if (/\(\?<?[=!]/.test(text))
    return 'looking ahead or behind is not linear: write two conditions, `….matches(…) && !….matches(…)`, or list what may stand there'
  if (/\\[1-9]|\\k</.test(text))
    return 'a reference back to a group is not linear: write out what may stand there, or compare two values with `==`'
  if (/\(\?>|[*+?}]\+/.test(text)) return 'there is nothing to go back to in RE2: write the plain group or repetition'
  if (/\{\d{4,}|,\d{4,}\}/.test(text)) return 'at most 1000 repetitions can be written: use `*` or `+`, and `size(…)` for the length'
  return undefined
}

/** Literals of the policies loaded, so bounded by them; the oldest goes when there are more than these. */
const MAX_KEPT = 4096
const patterns = new Map<string, RE2JS>()
const networks = new Map<string, Network | undefined>()
const zones = new Map<string, Intl.DateTimeFormat>()

function kept<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key)
  if (known !== undefined) return known
  const made = make()
  if (cache.size >= MAX_KEPT) cache.delete(cache.keys().next().value!)
  cache.set(key, made)
  return made
}

function compiled(pattern: string): RE2JS {
  return kept(patterns, pattern, () => RE2JS.compile(pattern))
}

function network(text: string): Network | undefined {
  return kept(networks, text, () => parseNetwork(text))
}

const OFFSET = /^([+-])([01][0-9]|2[0-3]):([0-5][0-9])$/

function zoneProblem(zone: string): string | undefined {
  if (OFFSET.test(zone)) return undefined
  try {
    formatter(zone)
    return undefined
  } catch {
    return `\`${zone}\` is not a time zone such as \`Europe/Berlin\` or \`+02:00\``
  }
}

function formatter(zone: string): Intl.DateTimeFormat {
  return kept(
    zones,
    zone,
    () =>
      new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      }),
  )
}

/** A date whose UTC fields are the wall clock of `zone`. */
function inZone(ms: number, zone: string): Date {
  const offset = OFFSET.exec(zone)
  if (offset !== null) return new Date(ms + (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3])) * 60_000)
  const part = new Map(
    formatter(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const field = (name: Intl.DateTimeFormatPartTypes): number => part.get(name) ?? Number.NaN
  const wall = Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second'))
  return new Date(wall + (((ms % 1000) + 1000) % 1000))
}

const { STRING, BOOL, INT, DYN } = CelScalar
const TIMESTAMP = objectType(TimestampSchema)
const OBJECT = mapType(STRING, DYN)

function partOf(part: (date: Date) => number, time: Timestamp, zone: string | undefined): bigint {
  const ms = timestampMs(time)
  return BigInt(part(zone === undefined ? new Date(ms) : inZone(ms, zone)))
}

/** The environment that conditions are evaluated in: the standard library with the functions above in place of its own. */
export const environment = celEnv({
  variables: { claims: OBJECT, context: OBJECT, request: OBJECT, params: OBJECT },
  funcs: [
    celFunc('inCidr', [STRING, STRING], BOOL, (ip, cidr) => {
      const address = parseAddress(ip)
      const range = network(cidr)
      if (address === undefined || range === undefined) throw new Error('the address can not be read')
      return contains(range, address)
    }),
    // The library reads these through the time zone of this machine, which is an hour off around its changes.
    ...Object.entries(TIME_PARTS).flatMap(([name, part]) => [
      celMethod(name, TIMESTAMP, [], INT, function () {
        return partOf(part, this.message, undefined)
      }),
      celMethod(name, TIMESTAMP, [STRING], INT, function (zone) {
        return partOf(part, this.message, zone)
      }),
    ]),
  ],
  // Patterns are literals, compiled once.
  re2: { compile: (pattern) => compiled(pattern) },
}) as unknown as CelEnv
