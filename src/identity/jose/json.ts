import { isAscii } from 'node:buffer'
import { readJsonText, type JsonValue } from '../../core/json.ts'

export { isObject, MAX_DEPTH, readJsonText, type JsonObject, type JsonValue } from '../../core/json.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads bytes as {@link readJsonText} reads text: UTF-8 without byte order mark, or undefined. Never throws. */
export function readJson(bytes: Uint8Array): JsonValue | undefined {
  // Nearly all of it is, and then there is nothing to decode.
  if (isAscii(bytes)) return readJsonText(textOf(bytes))
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return undefined
  }
  return readJsonText(text)
}

function textOf(bytes: Uint8Array): string {
  return (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('latin1')
}
