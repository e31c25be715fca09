/** The types of the condition language: CEL's, without maps and messages. `dyn` is JSON of a shape that nobody declared. */
export type Scalar = 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'null' | 'timestamp' | 'duration' | 'dyn'

/** `nothing` is the element type of an empty list; it fits every other. */
export type Type = Scalar | 'nothing' | { readonly element: Type }

export function showType(type: Type): string {
  return typeof type === 'string' ? type : `list of ${showType(type.element)}`
}

const NUMERIC: ReadonlySet<Type> = new Set<Type>(['int', 'uint', 'double'])

export function isNumeric(type: Type): boolean {
  return NUMERIC.has(type)
}

/** The type that both are, or undefined. */
export function join(a: Type, b: Type): Type | undefined {
  if (a === 'nothing') return b
  if (b === 'nothing' || a === b) return a
  if (typeof a === 'string' || typeof b === 'string') return undefined
  const element = join(a.element, b.element)
  return element === undefined ? undefined : { element }
}

/** Whether `==` can be true of them: the same type, or both numbers, which CEL compares by value. */
export function comparable(a: Type, b: Type): boolean {
  if (a === 'dyn' || b === 'dyn' || (isNumeric(a) && isNumeric(b))) return true
  if (typeof a !== 'string' && typeof b !== 'string') return comparable(a.element, b.element)
  return join(a, b) !== undefined
}
