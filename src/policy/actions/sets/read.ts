import { isProblem, listOf } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { glob, literal, MAX_STARS, type Glob } from './glob.ts'
import { valuesOf, type Values } from './values.ts'

/** `web-*,api` as a set. @param form What one of them is without its stars. */
export function readGlobs(text: string, form: RegExp, what: string): Values | Problem {
  const parts = listOf(text)
  if (isProblem(parts)) return parts
  const globs: Glob[] = []
  for (const part of parts) {
    const one = readGlob(part, form, what)
    if (isProblem(one)) return one
    globs.push(one)
  }
  return valuesOf(globs)
}

/** `web-*` as a set. */
export function readGlob(text: string, form: RegExp, what: string): Glob | Problem {
  if (!form.test(text.replaceAll('*', 'x')))
    return { problem: `\`${text}\` is not a ${what}`, help: `write a ${what}, with \`*\` for any characters` }
  if (text.split('*').length - 1 > MAX_STARS) return { problem: `\`${text}\` has more than ${MAX_STARS} stars` }
  return text.includes('*') ? glob(text) : literal(text)
}
