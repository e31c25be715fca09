import { ALL, type SqlAction } from '../../../core/action.ts'
import { isLiteral, type Glob } from '../sets/glob.ts'
import { isProblem, notKnown, textProblem, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { CLASSES, WITH_COLUMNS, WITHOUT_OBJECT } from './known.ts'
import { readObject } from './template.ts'

const FORM = 'write for example `select on public.orders` or `update on public.orders(status)`'

/** Reads one access: `select on public.orders`, of all columns, or `update on public.orders(status)`. */
export function readAction(text: string): SqlAction | Problem {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const cut = text.indexOf(' ')
  const statement = cut === -1 ? text : text.slice(0, cut)
  if (statement.includes(',') || statement.includes('*')) return { problem: 'it asks for one concrete access, of one class', help: FORM }
  if (!CLASSES.includes(statement)) return notKnown(statement, 'the classes of statements', CLASSES)
  if (cut === -1) return made(statement, undefined, undefined, undefined)
  if (!text.startsWith(' on ', cut)) return { problem: 'behind the class comes ` on `', help: FORM }
  const read = readObject({ text, at: cut + 4 })
  if (isProblem(read)) return read
  const { schema, object, columns } = read
  if (columns !== undefined && columns.length > 1)
    return { problem: 'it has several columns', help: 'ask for each of them: a statement is allowed where each of its accesses is' }
  const names = [schema, object, ...(columns ?? [])].map(nameOf)
  if (names.includes(undefined)) return { problem: 'it asks for one concrete access, without `*` in names', help: FORM }
  return made(statement, names[0], names[1], names[2])
}

/** `*` alone is for all, or for what can't be told. */
function nameOf(one: Glob): string | undefined {
  if (isLiteral(one)) return one.pieces[0]!
  return one.pieces.every((piece) => piece === '') ? ALL : undefined
}

function made(statement: string, schema: string | undefined, object: string | undefined, column: string | undefined): SqlAction | Problem {
  if (!CLASSES.includes(statement)) return notKnown(statement, 'the classes of statements', CLASSES)
  const said = schema !== undefined || object !== undefined || column !== undefined
  if (WITHOUT_OBJECT.includes(statement)) {
    if (said) return { problem: `\`${statement}\` is on nothing`, help: `write \`${statement}\` alone` }
    const none = statement === 'other' ? ALL : ''
    return { protocol: 'sql', class: statement, schema: none, object: none, column: none }
  }
  if (object === undefined || schema === undefined) return { problem: `\`${statement}\` is on something`, help: FORM }
  const columns = WITH_COLUMNS.has(statement)
  if (column !== undefined && !columns) return { problem: `\`${statement}\` has no columns`, help: 'leave them out' }
  const action: SqlAction = { protocol: 'sql', class: statement, schema, object, column: column ?? (columns ? ALL : '') }
  return isCanonical(action)
    ? action
    : { problem: 'a name in it is none', help: 'names have one spelling (NFKC), and nothing that can not be seen' }
}

/** The same from a class and properties. What isn't said can't be told. */
export function readParts(statement: string, properties: Readonly<Record<string, unknown>>): SqlAction | Problem {
  const read = textProperties(properties, ['schema', 'object', 'column'])
  if (isProblem(read)) return read
  const object = WITHOUT_OBJECT.includes(statement) ? read.object : (read.object ?? ALL)
  return made(statement, object === undefined ? read.schema : (read.schema ?? ALL), object, read.column)
}
