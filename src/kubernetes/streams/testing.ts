/** Both ends of sessions for tests: frames as kubectl and a kubelet would send them. */
import { joined } from './bounded.ts'
import type { SessionEvent } from './events.ts'
import { StreamSession } from './session.ts'
import type { StreamProtocol } from './protocol.ts'

const encoder = new TextEncoder()
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

/** A frame as a client sends it, under a mask that isn't all zeros. */
export function clientFrame(opcode: number, payload: Uint8Array, { final = true, mask = [1, 2, 3, 4] } = {}): Uint8Array {
  const { length } = payload
  const head =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255]
  head[0]! |= 0x80
  return Uint8Array.from([(final ? 0x80 : 0) | opcode, ...head, ...mask, ...payload.map((byte, at) => byte ^ mask[at & 3]!)])
}

/** A control frame of SPDY. */
export function control(type: number, body: Uint8Array, flags = 0): Uint8Array {
  const { length } = body
  return Uint8Array.from([0x80, 3, type >> 8, type & 255, flags, (length >> 16) & 255, (length >> 8) & 255, length & 255, ...body])
}

export function word(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255)
}

/** Writes header blocks of one direction, uncompressed within what compression allows. */
export class HeaderWriter {
  #begun = false

  block(fields: Readonly<Record<string, string>>): Uint8Array {
    const names = Object.entries(fields)
    const text = (one: string): Uint8Array => joined([word(one.length), bytesOf(one)])
    return this.raw(joined([word(names.length), ...names.flatMap(([name, value]) => [text(name), text(value)])]))
  }

  raw(plain: Uint8Array): Uint8Array {
    const { length } = plain
    // Go takes the empty block behind it for the flush that it is; without one it reads no second block.
    const stored = Uint8Array.from([0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255, ...plain, 0, 0, 0, 255, 255])
    const head = this.#begun ? [] : [0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]
    this.#begun = true
    return Uint8Array.from([...head, ...stored])
  }

  synStream(id: number, fields: Readonly<Record<string, string>>, flags = 0): Uint8Array {
    return control(1, joined([word(id), word(0), Uint8Array.of(0, 0), this.block(fields)]), flags)
  }

  synReply(id: number): Uint8Array {
    return control(2, joined([word(id), this.block({})]))
  }
}

/** Events as short texts, what was cut into pieces joined again. */
export function told(events: readonly SessionEvent[]): readonly string[] {
  const lines: string[] = []
  let kind = ''
  for (const event of events) {
    const bytes = 'bytes' in event ? Buffer.from(event.bytes).toString('latin1') : undefined
    if (bytes !== undefined && event.kind === kind) lines.push(`${lines.pop()!}${bytes}`)
    else if (bytes !== undefined) lines.push(`${event.kind} ${bytes}`)
    else if (event.kind === 'exit') lines.push(`exit ${event.exit.code} ${event.exit.message}`)
    else {
      const { kind: name, ...rest } = event
      lines.push([name, ...Object.values(rest)].join(' '))
    }
    ;({ kind } = event)
  }
  return lines
}

export interface Turn {
  readonly from: 'client' | 'server'
  readonly bytes: Uint8Array
}

/** What a session tells of these turns, each cut into pieces of at most `piece` bytes. */
export function tell(
  protocol: StreamProtocol,
  kind: 'exec' | 'attach' | 'portforward',
  turns: readonly Turn[],
  piece = Number.POSITIVE_INFINITY,
): { readonly session: StreamSession; readonly events: SessionEvent[] } {
  const events: SessionEvent[] = []
  // Views are only good while they are told.
  const session = new StreamSession({
    protocol,
    kind,
    sink: (event) => events.push('bytes' in event ? { ...event, bytes: event.bytes.slice() } : event),
  })
  for (const { from, bytes } of turns)
    for (let at = 0; at < bytes.length; at += piece) {
      const chunk = bytes.slice(at, at + piece)
      if (from === 'client') session.fromClient(chunk)
      else session.fromServer(chunk)
      // Whoever kept a view would now tell something else.
      chunk.fill(0x7e)
    }
  return { session, events }
}
