import { ALL, type SqlAction } from '../../../core/action.ts'
import { nameProblem } from '../text.ts'
import { CLASSES, WITH_COLUMNS, WITHOUT_OBJECT } from './known.ts'

function isName(text: string): boolean {
  return text === ALL || nameProblem(text) === undefined
}

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ class: statement, schema, object, column }: SqlAction): boolean {
  if (!CLASSES.includes(statement)) return false
  if (statement === 'other') return schema === ALL && object === ALL && column === ALL
  if (WITHOUT_OBJECT.includes(statement)) return `${schema}${object}${column}` === ''
  return isName(schema) && isName(object) && (WITH_COLUMNS.has(statement) ? isName(column) : column === '')
}
