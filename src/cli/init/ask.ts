import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { OstiaryError } from '../../core/errors.ts'
import { isProvider, questions, type Given, type Question } from './answers.ts'
import { flags, type Key } from './flags.ts'

/** Somebody who answers in a terminal. */
export interface Person {
  /** Until the answer is one that will do. @throws OstiaryError `cli/init-ended` */
  ask(text: string, otherwise: string | undefined, problem: (answer: string) => string | undefined): Promise<string>
  say(text: string): void
  close(): void
}

export function personAt(input: Readable, output: Writable): Person {
  const reader = createInterface({ input })
  const lines = reader[Symbol.asyncIterator]()
  return {
    async ask(text, otherwise, problem) {
      for (;;) {
        output.write(`${text}${otherwise === undefined ? '' : ` [${otherwise}]`}: `)
        const next = await lines.next()
        if (next.done === true) throw new OstiaryError('cli/init-ended')
        const answer = next.value.trim() === '' ? (otherwise ?? '') : next.value.trim()
        const wrong = problem(answer)
        if (wrong === undefined) return answer
        output.write(`  ${wrong}\n`)
      }
    },
    say: (text) => void output.write(`${text}\n`),
    close: () => reader.close(),
  }
}

/** What follows from the rest, so that nobody is asked for it. */
const UNASKED: ReadonlySet<Key> = new Set(['authority', 'listen', 'name'])

/** Asks for what wasn't given, from one question to another. */
export async function askAll(person: Person, given: Given, which: (question: Question) => boolean): Promise<Given> {
  const answers: Record<string, string | undefined> = { ...given }
  for (const question of questions.filter(which)) {
    const { key, matters, otherwise, problem } = question
    const provider = answers['provider'] ?? ''
    if (answers[key] !== undefined || UNASKED.has(key) || (isProvider(provider) && !matters(provider))) continue
    answers[key] = await person.ask(flags[key][1], otherwise(answers), (answer) => problem(answer, answers))
  }
  return answers
}
