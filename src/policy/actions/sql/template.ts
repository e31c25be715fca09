/**
 * The action vocabulary of SQL: `select on public.orders`, `update on public.orders(status)`, `* on app.*`, `transaction`.
 *
 * An action is one access of a statement; a statement is as many as it touches tables, or columns of them. In a rule `*`
 * for the class is the statements about rows; in a guardrail it is every class. What isn't understood, `other`, is met by
 * every guardrail: it could be anything.
 */
import type { SqlAction } from '../../../core/action.ts'
import type { Glob } from '../sets/glob.ts'
import { ANY, meetsValue, valuesOf, type Side, type Values } from '../sets/values.ts'
import { hasWord, some, type Words } from '../sets/words.ts'
import { isProblem, textProblem, wordList } from '../text.ts'
import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { readIdentifier, takes, type Reader } from './identifier.ts'
import { CLASSES, ORDINARY, WITH_COLUMNS, WITH_OBJECT, WITHOUT_OBJECT } from './known.ts'

export interface SqlPattern extends PatternBase {
  readonly protocol: 'sql'
  readonly side: Side
  readonly classes: Words
  readonly schemas: Values
  readonly objects: Values
  readonly columns: Values
}

const FORM = 'write for example `select on public.orders`, `update on public.orders(status)` or `transaction`'

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<SqlPattern> {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const cut = text.indexOf(' ')
  const classes = cut === -1 ? text : text.slice(0, cut)
  const known = classes === '*' ? WITH_OBJECT : wordList(classes, 'classes of statements', CLASSES)
  if (isProblem(known)) return known
  const without = known.filter((one) => WITHOUT_OBJECT.includes(one))
  // What can't be told apart is met by every guardrail.
  const met = (words: readonly string[]): Words => (side === 'takes' ? some([...words, 'other']) : some(words))
  if (cut === -1) {
    if (classes === '*') return { problem: 'it says not on what', help: 'write `* on *.*` for all tables' }
    const needs = known.find((one) => !WITHOUT_OBJECT.includes(one))
    if (needs !== undefined)
      return { problem: `\`${needs}\` is on something`, help: `write \`${text} on schema.table\`, or \`${text} on *.*\`` }
    return { pattern: { protocol: 'sql', text, parameters: [], side, classes: met(known), schemas: ANY, objects: ANY, columns: ANY } }
  }
  if (without[0] !== undefined) return { problem: `\`${without[0]}\` is on nothing`, help: `write \`${without[0]}\` alone` }
  if (!text.startsWith(' on ', cut)) return { problem: 'behind the class comes ` on `', help: FORM }
  const read = readObject({ text, at: cut + 4 })
  if (isProblem(read)) return read
  const { schema, object, columns } = read
  const bare = columns === undefined || classes === '*' ? undefined : known.find((one) => !WITH_COLUMNS.has(one))
  if (bare !== undefined) return { problem: `\`${bare}\` has no columns`, help: `write them for ${[...WITH_COLUMNS].join(', ')} only` }
  const words = columns === undefined ? known : known.filter((one) => WITH_COLUMNS.has(one))
  return {
    pattern: {
      protocol: 'sql',
      text,
      parameters: [],
      side,
      classes: met(classes === '*' && side === 'grants' ? words.filter((one) => ORDINARY.includes(one)) : words),
      schemas: valuesOf([schema]),
      objects: valuesOf([object]),
      columns: columns === undefined ? ANY : valuesOf(columns),
    },
  }
}

export interface ReadObject {
  readonly schema: Glob
  readonly object: Glob
  readonly columns: readonly Glob[] | undefined
}

/** `public.orders(status, note)` */
export function readObject(reader: Reader): ReadObject | Problem {
  const schema = readIdentifier(reader)
  if (isProblem(schema)) return schema
  if (!takes(reader, '.')) {
    const name = reader.text.slice(reader.text.indexOf(' on ') + 4)
    return { problem: `\`${name}\` has no schema`, help: `write \`public.${name}\`, or \`*.${name}\` for any schema` }
  }
  const object = readIdentifier(reader)
  if (isProblem(object)) return object
  if (takes(reader, '.')) return { problem: 'it has three parts', help: 'a resource is one database: write schema and table' }
  const columns: Glob[] = []
  if (takes(reader, '(')) {
    do {
      takes(reader, ' ')
      const column = readIdentifier(reader)
      if (isProblem(column)) return column
      columns.push(column)
    } while (takes(reader, ','))
    if (!takes(reader, ')'))
      return { problem: 'its columns do not end with `)`', help: 'write for example `update on public.orders(status, note)`' }
  }
  if (reader.at < reader.text.length) return { problem: `it does not end behind \`${reader.text.slice(0, reader.at)}\``, help: FORM }
  return { schema, object, columns: columns.length === 0 ? undefined : columns }
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: SqlPattern, action: SqlAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical(pattern: SqlPattern, action: SqlAction): boolean {
  return (
    hasWord(pattern.classes, action.class) &&
    meetsValue(pattern.schemas, action.schema, pattern.side) &&
    meetsValue(pattern.objects, action.object, pattern.side) &&
    meetsValue(pattern.columns, action.column, pattern.side)
  )
}
