/** Sets of commands: one glob for each word, and `**` at the end for any further ones. */
import {
  glob,
  globCovers,
  globKey,
  globsOverlap,
  isLiteral,
  isPlainText,
  isStar,
  literal,
  matchesGlob,
  MAX_STARS,
  type Glob,
} from '../sets/glob.ts'
import type { Side } from '../sets/values.ts'
import type { Problem } from '../vocabulary.ts'
import { patternWords } from './words.ts'

export interface CommandSet {
  readonly words: readonly Glob[]
  /** Ends with `**`: any further words, also none. Of a rule, plain ones. */
  readonly rest: boolean
  readonly side: Side
}

const FORM = 'write the program and its arguments: `systemctl restart *`, `journalctl **`; others than plain words in single quotes'

/** Of a rule, a star stands for plain characters only, and a word that begins with one for no option. */
export function readCommand(text: string, side: Side): CommandSet | Problem {
  const words = patternWords(text)
  if (words === undefined) return { problem: `\`${text}\` is more to a shell than a program and its arguments`, help: FORM }
  const last = words.at(-1)!
  const rest = last.plain && last.text === '**'
  const globs: Glob[] = []
  for (const { text: word, plain, star } of rest ? words.slice(0, -1) : words) {
    // A star in quotes is a star.
    if (!star) globs.push(literal(word))
    else if (!plain) return { problem: 'a word has a `*` and quotes', help: 'write a `*` in plain words only' }
    else if (word.includes('**')) return { problem: '`**` only comes last, as a word of its own', help: FORM }
    else if (word.split('*').length - 1 > MAX_STARS) return { problem: `\`${word}\` has more than ${MAX_STARS} stars` }
    else globs.push(glob(word, side === 'grants'))
  }
  if (globs.length === 0) return { problem: 'it names no program', help: 'leave the command out for any command' }
  return { words: globs, rest, side }
}

export function matchesCommand({ words, rest, side }: CommandSet, command: readonly string[]): boolean {
  if (rest ? command.length < words.length : command.length !== words.length) return false
  if (!words.every((word, i) => matchesGlob(word, command[i]!))) return false
  return command.slice(words.length).every((word) => side === 'takes' || isPlainWord(word))
}

function isPlainWord(text: string): boolean {
  return text !== '' && isPlainText(text)
}

/** Whether all commands of `b` are in `a`. */
export function commandCovers(a: CommandSet, b: CommandSet): boolean {
  if (a.rest ? b.words.length < a.words.length : b.rest || b.words.length !== a.words.length) return false
  if (!a.words.every((word, i) => wordCovers(word, b.words[i]!))) return false
  if (a.side === 'takes') return true
  return (
    (!b.rest || b.side === 'grants') &&
    b.words
      .slice(a.words.length)
      .every(({ pieces, strict }) => (pieces.length === 1 ? isPlainWord(pieces[0]!) : strict && pieces.every(isPlainText)))
  )
}

function wordCovers(a: Glob, b: Glob): boolean {
  return isLiteral(b) ? matchesGlob(a, b.pieces[0]!) : globCovers(a, b)
}

/** Whether some command is in both. */
export function commandsOverlap(a: CommandSet, b: CommandSet): boolean {
  const shared = Math.min(a.words.length, b.words.length)
  for (let i = 0; i < shared; i++) if (!globsOverlap(a.words[i]!, b.words[i]!)) return false
  const [shorter, longer] = a.words.length < b.words.length ? [a, b] : [b, a]
  const more = longer.words.slice(shared)
  if (more.length > 0 && !shorter.rest) return false
  return shorter.side === 'takes' || more.every(({ pieces }) => (pieces.length === 1 ? isPlainWord(pieces[0]!) : pieces.every(isPlainText)))
}

/** Of a guardrail, `* **` is for every command, also for one that can't be told. */
export function isAnyCommand({ words, rest }: CommandSet): boolean {
  return rest && words.length === 1 && isStar(words[0]!)
}

export function commandKey({ words, rest, side }: CommandSet): string {
  return JSON.stringify([side, rest, ...words.map(globKey)])
}
