import { didYouMean } from '../../config/didyoumean.ts'
import type { Problem } from './vocabulary.ts'

/** A pattern or a concrete action in UTF-16 code units, at most. */
export const MAX_TEXT = 2048
/** What stands in a list with commas, at most. */
const MAX_LIST = 64

/** What no pattern and no action may have in it: what is told from another only by a close look, or not at all. */
export function textProblem(text: string): Problem | undefined {
  if (text.length > MAX_TEXT) return { problem: `it is longer than ${MAX_TEXT} characters` }
  if (text.trim() === '') return { problem: 'it is empty' }
  if (/\p{Cc}/u.test(text)) return { problem: 'it has a control character' }
  if (text !== text.trim() || text.includes('  ')) return { problem: 'it has blanks too many', help: 'write one blank between words' }
  return undefined
}

/** The same, for vocabularies whose words are ASCII. */
export function asciiProblem(text: string): Problem | undefined {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const other = /[^\x20-\x7e]/u.exec(text)?.[0]
  if (other === undefined) return undefined
  const code = other.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return {
    problem: `it has a character that is not ASCII: U+${code}`,
    help: 'names here are ASCII; a letter that only looks the same is another one',
  }
}

/** Letters of scripts that are mistaken for one another. */
const SCRIPTS = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Cherokee'].map((script) => new RegExp(`\\p{Script=${script}}`, 'u'))

/** What is wrong with a name that may have any letters: more than one spelling, nothing to see, or letters of several alphabets. */
export function nameProblem(text: string): Problem | undefined {
  if (text === '' || text.length > 128) return { problem: 'a name has 1 to 128 characters' }
  if (/\p{C}|[\u2028\u2029]/u.test(text)) return { problem: 'a name in it has characters that can not be seen' }
  if (text.normalize('NFKC') !== text) return { problem: `\`${text}\` has another spelling`, help: `write \`${text.normalize('NFKC')}\`` }
  if (SCRIPTS.filter((script) => script.test(text)).length > 1)
    return { problem: `\`${text}\` mixes letters of several alphabets`, help: 'a letter that only looks the same is another one' }
  return undefined
}

/** `get,list` as its words, each one of `known`. */
export function wordList(text: string, what: string, known: readonly string[]): readonly string[] | Problem {
  const words = text.split(',')
  if (words.length > MAX_LIST) return { problem: `it lists more than ${MAX_LIST} of ${what}` }
  for (const [i, word] of words.entries()) {
    if (word === '') return { problem: `a list of ${what} has an empty place`, help: 'write them with commas and no blank: `a,b`' }
    if (words.indexOf(word) !== i) return { problem: `\`${word}\` is there twice` }
    if (!known.includes(word)) return notKnown(word, what, known)
  }
  return words
}

export function notKnown(word: string, what: string, known: readonly string[]): Problem {
  const lower = known.includes(word.toLowerCase()) ? `write \`${word.toLowerCase()}\`` : undefined
  return {
    problem: `\`${word.slice(0, 64)}\` is not one of ${what}`,
    help: lower ?? didYouMean(word, known) ?? `there are ${known.map((one) => `\`${one}\``).join(', ')}`,
  }
}

/** The parts of a list with commas. */
export function listOf(text: string): readonly string[] | Problem {
  const parts = text.split(',')
  if (parts.length > MAX_LIST) return { problem: `it lists more than ${MAX_LIST}` }
  if (parts.includes('')) return { problem: 'a list has an empty place', help: 'write it with commas and no blank: `a,b`' }
  return parts
}

export function isProblem<T>(read: T | Problem): read is Problem {
  return typeof read === 'object' && read !== null && 'problem' in read
}

/** Properties that are texts, by name. One that isn't known is a mistake, never ignored. */
export function textProperties<K extends string>(
  properties: Readonly<Record<string, unknown>>,
  known: readonly K[],
  also: readonly string[] = [],
): Partial<Record<K, string>> | Problem {
  const read: Partial<Record<K, string>> = {}
  for (const [name, value] of Object.entries(properties)) {
    if (also.includes(name)) continue
    const key = known.find((one) => one === name)
    if (key === undefined) return notKnown(name, 'the properties of this action', [...known, ...also])
    if (typeof value !== 'string') return { problem: `the property \`${name}\` is not a text` }
    if (value.length > MAX_TEXT) return { problem: `the property \`${name}\` is longer than ${MAX_TEXT} characters` }
    read[key] = value
  }
  return read
}
