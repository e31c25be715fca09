/**
 * Watches as clients of Go ask for them: `application/vnd.kubernetes.protobuf;stream=watch`, a `metav1.WatchEvent` after each length of four
 * octets, the largest first (`LengthDelimitedFramer` of `k8s.io/apimachinery/pkg/util/framer`).
 */
import type { Status } from './status.ts'
import { MAGIC } from './protobuf.ts'

const HEAD = 4

/** Knows whether a stream of events stands between two of them. It reads lengths and nothing else. */
export class EventBoundary {
  readonly #head = new Uint8Array(HEAD)
  #have = 0
  #left = 0

  /** True where an event of our own may be put in. */
  get clear(): boolean {
    return this.#have === 0 && this.#left === 0
  }

  feed(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skip = Math.min(this.#left, chunk.length - at)
        this.#left -= skip
        at += skip
        continue
      }
      this.#head[this.#have++] = chunk[at++]!
      if (this.#have < HEAD) continue
      this.#left = new DataView(this.#head.buffer).getUint32(0)
      this.#have = 0
    }
  }
}

/** An event `ERROR` with a Status, as a stream has it. */
export function errorEvent({ apiVersion, kind, status, message, reason, details, code }: Status): Buffer {
  const about =
    details === undefined
      ? []
      : [
          textAt(1, details.name),
          textAt(2, details.group),
          textAt(3, details.kind),
          ...(details.retryAfterSeconds === undefined ? [] : [numberAt(5, details.retryAfterSeconds)]),
        ]
  const object = Buffer.concat([
    bytesAt(1, Buffer.concat([textAt(1), textAt(2), textAt(3)])),
    textAt(2, status),
    textAt(3, message),
    textAt(4, reason),
    ...(details === undefined ? [] : [bytesAt(5, Buffer.concat(about))]),
    numberAt(6, code),
  ])
  const types = Buffer.concat([textAt(1, apiVersion), textAt(2, kind)])
  const unknown = Buffer.concat([MAGIC, bytesAt(1, types), bytesAt(2, object), textAt(3, ''), textAt(4, '')])
  const event = Buffer.concat([textAt(1, 'ERROR'), bytesAt(2, bytesAt(1, unknown))])
  const head = Buffer.alloc(HEAD)
  head.writeUInt32BE(event.length)
  return Buffer.concat([head, event])
}

function textAt(field: number, text = ''): Buffer {
  return bytesAt(field, Buffer.from(text))
}

function bytesAt(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])
}

function numberAt(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)])
}

/** @param value Not negative, below 2^31 */
function varint(value: number): Buffer {
  const octets: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    octets.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) return Buffer.from(octets)
  }
}
