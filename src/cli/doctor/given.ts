import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { OstiaryError } from '../../core/errors.ts'

/**
 * What is to be explained, from a file or from standard input. A name that leads nowhere is never repeated: it may be the token itself.
 * @throws OstiaryError `cli/token-file`, `cli/token-large`
 */
export async function readGivenText(file: string | undefined, limit: number, stdin: Readable = process.stdin): Promise<string> {
  const stream = file === undefined || file === '-' ? stdin : createReadStream(file)
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of stream) {
      const bytes = Buffer.from(part as Uint8Array | string)
      length += bytes.length
      if (length > limit) throw new OstiaryError('cli/token-large', { limit })
      parts.push(bytes)
    }
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    throw new OstiaryError('cli/token-file', { cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
  return Buffer.concat(parts).toString('utf8')
}
