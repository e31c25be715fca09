/** Words of a command at most, and characters of one. */
const MAX_WORDS = 256
const MAX_WORD = 4096

/** One word as it is meant. */
export interface Word {
  readonly text: string
  /** Nothing in it is quoted. */
  readonly plain: boolean
  /** A star stands where nothing is quoted. */
  readonly star: boolean
}

const PART = /'([^']*)'|"([^"\\$`!]*)"|([A-Za-z0-9_@%+=:,./-]+)/y
/** The same for patterns, where a star may stand in a plain word. */
const PATTERN_PART = /'([^']*)'|"([^"\\$`!]*)"|([A-Za-z0-9_@%+=:,./*-]+)/y

/**
 * The words of a command as every POSIX shell takes them, or undefined where a shell would do more than to split it:
 * expand, substitute, redirect, join or run something else as well. Quotes that a shell takes away are taken away.
 */
export function wordsOf(command: string): readonly string[] | undefined {
  return split(command, PART)?.map(({ text }) => text)
}

/** The words of a pattern: stars stand where nothing is quoted. */
export function patternWords(pattern: string): readonly Word[] | undefined {
  return split(pattern, PATTERN_PART)
}

function split(command: string, part: RegExp): readonly Word[] | undefined {
  if (command.length > MAX_WORDS * MAX_WORD || !isWritten(command)) return undefined
  const words: Word[] = []
  let at = 0
  while (at < command.length) {
    if (command[at] === ' ') {
      at++
      continue
    }
    let text = ''
    let plain = true
    let star = false
    while (at < command.length && command[at] !== ' ') {
      part.lastIndex = at
      const match = part.exec(command)
      if (match === null) return undefined
      const [, single, double, bare] = match
      text += single ?? double ?? bare ?? ''
      plain &&= bare !== undefined
      star ||= bare?.includes('*') === true
      at = part.lastIndex
    }
    words.push({ text, plain, star })
  }
  // `NAME=value` in front sets a variable.
  const [first] = words
  if (first === undefined || (first.plain && /^[A-Za-z_]\w*=/.test(first.text))) return undefined
  return isCommand(words.map(({ text }) => text)) ? words : undefined
}

/** Nothing that can't be seen, and blanks for all that parts words. */
function isWritten(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u.test(text)
}

/** Whether words can be those of a canonical command. */
export function isCommand(words: readonly string[]): boolean {
  return (
    words.length > 0 && words.length <= MAX_WORDS && words[0] !== '' && words.every((word) => word.length <= MAX_WORD && isWritten(word))
  )
}
