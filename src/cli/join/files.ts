/** Logs that were exported, as values of JSON: one to a line, or one document. */
import { readFile, stat } from 'node:fs/promises'
import { readLines } from '../../audit/segments.ts'
import { OstiaryError } from '../../core/errors.ts'

/** Of a file that is one document. Lines may be as many as they like. */
const DOCUMENT_LIMIT = 256 * 1024 ** 2

/**
 * The values in a file, in their order; undefined for a line that is none.
 * @throws OstiaryError `cli/log-file`
 */
export async function* valuesIn(file: string): AsyncGenerator<unknown> {
  try {
    let first = true
    for await (const lines of readLines(file)) {
      for (const { bytes, oversized } of lines) {
        const text = oversized ? undefined : bytes.toString('utf8').trim()
        if (text === '') continue
        const value = text === undefined ? undefined : parse(text)
        if (first && value === undefined) {
          yield await document(file)
          return
        }
        first = false
        yield value
      }
    }
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    throw unreadable(file, (error as NodeJS.ErrnoException).code ?? 'unknown')
  }
}

async function document(file: string): Promise<unknown> {
  if ((await stat(file)).size > DOCUMENT_LIMIT) throw unreadable(file, `it is one document of more than ${DOCUMENT_LIMIT} bytes`)
  // Without the mark of byte order that some programs begin a file with.
  const value = parse((await readFile(file, 'utf8')).trim())
  if (value === undefined) throw unreadable(file, 'it is no JSON')
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unreadable(file: string, cause: string): OstiaryError {
  return new OstiaryError('cli/log-file', { file, cause })
}
