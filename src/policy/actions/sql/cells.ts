import { ALL, type SqlAction } from '../../../core/action.ts'
import { fieldOf } from '../celltext.ts'
import { formOf } from '../sets/form.ts'
import { valuesNeed } from '../sets/needs.ts'
import { meetsValue, type Values } from '../sets/values.ts'
import { hasWord } from '../sets/words.ts'
import type { CellText, Choice, Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { CLASSES, WITH_COLUMNS, WITHOUT_OBJECT } from './known.ts'
import type { SqlPattern } from './template.ts'

/** A name but `*`, which is for all. That it has one spelling only is looked at where an action is made. */
const NAMES = formOf(/[^*\p{C}]|[^\p{C}][^\p{C}]+/u, 128)

type Pattern = SqlPattern

const kindOf = (statement: string): string => {
  if (statement === 'other') return 'other'
  return WITHOUT_OBJECT.includes(statement) ? 'none' : WITH_COLUMNS.has(statement) ? 'columns' : 'object'
}
const CLASS: Step<Pattern> = {
  field: 'class',
  choices: CLASSES.map((one) => ({ kind: 'value', value: one, tag: kindOf(one), meets: ({ classes }) => hasWord(classes, one) })),
  // A condition can't read what isn't understood.
  absent: (one) => one === 'other',
}

/** A field by what its statements have there: nothing, all or what can't be told, or a name too. */
function steps(field: string, of: (pattern: Pattern) => Values): Readonly<Record<'none' | 'all' | 'named', Step<Pattern>>> {
  const value = (text: string): Choice<Pattern> => ({
    kind: 'value',
    value: text,
    meets: (pattern) => meetsValue(of(pattern), text, pattern.side),
  })
  return {
    none: { field, choices: [value('')] },
    all: { field, choices: [value(ALL)] },
    named: { field, choices: [value(ALL), { kind: 'texts', form: NAMES, needs: (pattern) => valuesNeed(of(pattern)) }] },
  }
}

const SCHEMA = steps('schema', ({ schemas }) => schemas)
const OBJECT = steps('object', ({ objects }) => objects)
const COLUMN = steps('column', ({ columns }) => columns)

export const space: Space<SqlAction, Pattern> = {
  next: (tags) => {
    const kind = tags.get('class')
    if (kind === undefined) return CLASS
    const has = kind === 'none' ? 'none' : kind === 'other' ? 'all' : 'named'
    if (!tags.has('schema')) return SCHEMA[has]
    if (!tags.has('object')) return OBJECT[has]
    return tags.has('column') ? undefined : COLUMN[kind === 'object' ? 'none' : has]
  },
  valueOf: (action, field) => action[field as Exclude<keyof SqlAction, 'protocol'>],
  action: ({ text }) => ({ protocol: 'sql', class: text('class'), schema: text('schema'), object: text('object'), column: text('column') }),
  isCanonical,
  first: 'class',
  rest: (cell) => {
    if (['none', 'other'].includes(cell.tag('class'))) return ''
    const schema = nameOf(cell, 'schema', (text) => `${text}.*`)
    const on = ` on ${schema}.${nameOf(cell, 'object')}${cell.tag('class') === 'columns' ? columnsOf(cell) : ''}`
    const untold = ['schema', 'object'].map((field) => untoldOf(cell, field))
    return untold.includes('only') ? `${on} that can not be told` : untold.includes('too') ? `${on}, or on what can not be told` : on
  },
}

/** Whether a name that can't be told is in it, where that isn't said by `*`. */
function untoldOf(cell: CellText, field: string): 'only' | 'too' | 'no' {
  const named = fieldOf(cell, field)
  if (named === '') return 'only'
  return named !== ALL && cell.values(field).includes(ALL) ? 'too' : 'no'
}

/** `(status)`; nothing for all that a row has. */
function columnsOf(cell: CellText): string {
  const named = fieldOf(cell, 'column', (text) => `(${text})`)
  const rows = cell.values('column').includes(ALL)
  if (named === ALL && rows) return ''
  return named === '' ? ' (whole rows)' : `(${named})${rows ? ' or whole rows' : ''}`
}

function nameOf(cell: CellText, field: string, as?: (text: string) => string): string {
  const named = fieldOf(cell, field, as)
  return named === '' ? ALL : named
}
