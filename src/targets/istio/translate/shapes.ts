/** Shapes of a resource's fields. Nothing that isn't named is read over, and the first that doesn't fit is told with its place. */
import type { Code, Details } from '../../../core/errors.ts'

export type Path = readonly (string | number)[]

/** What was found instead of a shape. */
export class Misfit extends Error {
  readonly code: Code
  readonly details: Details
  readonly path: Path
  /** Whether the place is that of the key rather than of its value. */
  readonly isKey: boolean

  constructor(code: Code, details: Details, path: Path, isKey = false) {
    super(code)
    this.code = code
    this.details = details
    this.path = path
    this.isKey = isKey
  }
}

export type Shape<T> = (value: unknown, path: Path) => T

/** `spec.rules[0].from`, as a person would write it. */
export function written(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('') || 'the resource'
}

export function invalid(problem: string, path: Path): Misfit {
  return new Misfit('config/invalid', { where: `\`${written(path)}\``, problem }, path)
}

function wrongType(expected: string, path: Path): Misfit {
  return new Misfit('config/wrong-type', { where: `\`${written(path)}\``, expected }, path)
}

/** A plain one: whatever else is an object would be read as an empty mapping, and an empty rule matches everything. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** @param check Says what is wrong with a text; undefined for nothing */
export function text(check: (value: string) => string | undefined = () => undefined): Shape<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw wrongType('text; numbers and booleans go in quotes', path)
    if (value === '') throw invalid('it is empty', path)
    const problem = check(value)
    if (problem !== undefined) throw invalid(problem, path)
    return value
  }
}

export const flag: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrongType('`true` or `false`', path)
  return value
}

export function oneOf<T extends string>(...values: readonly T[]): Shape<T> {
  return (value, path) => {
    if (!values.includes(value as T)) throw wrongType(values.map((each) => `\`${each}\``).join(' or '), path)
    return value as T
  }
}

export function list<T>(of: Shape<T>, limit = 4096): Shape<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrongType('a list', path)
    if (value.length > limit) throw invalid(`it has more than ${limit} entries`, path)
    return Array.from(value, (item: unknown, index) => of(item, [...path, index]))
  }
}

/** As `list`, of one entry at least: an empty list means something else to each reader. */
export function some<T>(of: Shape<T>, limit?: number): Shape<readonly T[]> {
  const any = list(of, limit)
  return (value, path) => {
    const all = any(value, path)
    if (all.length === 0) throw invalid('it is empty: leave it out, or write what it holds', path)
    return all
  }
}

export function texts(): Shape<Readonly<Record<string, string>>> {
  return (value, path) => {
    if (!isMap(value)) throw wrongType('a mapping', path)
    const read: Record<string, string> = Object.create(null)
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== 'string') throw wrongType('text; numbers and booleans go in quotes', [...path, key])
      read[key] = entry
    }
    return read
  }
}

/** A mapping of exactly these keys, each of which may be absent. `null` isn't absent. */
export function fields<T extends Readonly<Record<string, Shape<unknown>>>>(
  shapes: T,
): Shape<{ readonly [K in keyof T]: ReturnType<T[K]> | undefined }> {
  return (value, path) => {
    if (!isMap(value)) throw wrongType('a mapping', path)
    for (const key of Object.keys(value))
      if (!Object.hasOwn(shapes, key)) throw new Misfit('config/unknown-key', { key, where: `\`${written(path)}\`` }, [...path, key], true)
    return Object.fromEntries(
      Object.entries(shapes).map(([key, shape]) => [key, Object.hasOwn(value, key) ? shape(value[key], [...path, key]) : undefined]),
    ) as { [K in keyof T]: ReturnType<T[K]> | undefined }
  }
}

export function needed<T>(value: T | undefined, key: string, path: Path): T {
  if (value === undefined) throw new Misfit('config/missing', { key, where: `\`${written(path)}\`` }, path)
  return value
}
