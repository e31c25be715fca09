import { glob, literal, MAX_STARS, type Glob } from '../sets/glob.ts'
import { nameProblem } from '../text.ts'
import type { Problem } from '../vocabulary.ts'

/** Reads identifiers from left to right. */
export interface Reader {
  readonly text: string
  at: number
}

/**
 * One identifier: lower case as it stands, or in double quotes exactly as it is, `""` for a quote. A `*` outside of quotes
 * stands for any characters.
 */
export function readIdentifier(reader: Reader): Glob | Problem {
  const { text } = reader
  if (text[reader.at] === '"') {
    const quoted = /"((?:[^"]|"")*)"/y
    quoted.lastIndex = reader.at
    const match = quoted.exec(text)
    if (match === null) return { problem: 'a quoted name does not end' }
    reader.at = quoted.lastIndex
    const name = match[1]!.replaceAll('""', '"')
    return nameProblem(name) ?? (name === '*' ? { problem: 'a name can not be `*` alone' } : literal(name))
  }
  const plain = /[^\s.,()"]*/y
  plain.lastIndex = reader.at
  const name = plain.exec(text)![0]
  reader.at = plain.lastIndex
  if (name === '') return { problem: 'a name is missing', help: 'write for example `select on public.orders`' }
  if (/^[A-Za-z_*][A-Za-z0-9_$*]{0,127}$/.test(name) && name !== name.toLowerCase())
    return {
      problem: `\`${name}\` has upper-case letters`,
      help: `write \`${name.toLowerCase()}\`, or \`"${name}"\` if the database has it so`,
    }
  if (!/^[a-z_*][a-z0-9_$*]{0,127}$/.test(name))
    return {
      problem: `\`${name}\` is not a name`,
      help: 'write other names than of lower-case letters, digits, `_` and `$` in double quotes',
    }
  if (name.split('*').length - 1 > MAX_STARS) return { problem: `\`${name}\` has more than ${MAX_STARS} stars` }
  return name.includes('*') ? glob(name) : literal(name)
}

/** Takes `character` if it comes next. */
export function takes(reader: Reader, character: string): boolean {
  if (reader.text[reader.at] !== character) return false
  reader.at++
  return true
}
