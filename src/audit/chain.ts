/**
 * The chain over the lines of the record. A line is `BODY,"hash":"HASH"}` where HASH is the hexadecimal SHA-256 of the
 * preceding line's HASH followed by BODY, both as they stand in the file. BODY starts with seq, time and kind, so that
 * a reader needn't parse a line to place it.
 */
import { hash as digest } from 'node:crypto'

/** What the very first line is chained to. */
export const GENESIS = '0'.repeat(64)

const OPEN = ',"hash":"'
const TAIL_LENGTH = OPEN.length + 64 + 2
const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/
const HEAD = /^\{"seq":([1-9][0-9]{0,14}),"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","kind":"([a-z]{1,16})"[,}]?/
const HEAD_LENGTH = 96

/** Where a chain stands: the last line's number and hash. */
export interface Link {
  readonly seq: number
  readonly hash: string
}

/** Hexadecimal characters of a hash. */
export const HASH_LENGTH = 64

/** The hash of a line: over the hash before it and its body, which stand in `bytes` one behind the other. */
export function hashOf(bytes: Uint8Array): string {
  return digest('sha256', bytes)
}

/** A line taken apart, without parsing it as JSON. */
export interface LineParts {
  readonly seq: number
  readonly time: string
  readonly kind: string
  readonly hash: string
  readonly body: Buffer
}

/** Takes a line (without its newline) apart; undefined for what can't be one. */
export function takeApart(line: Buffer): LineParts | undefined {
  const cut = line.length - TAIL_LENGTH
  if (cut < 1) return undefined
  const tail = TAIL.exec(line.toString('latin1', cut))
  const head = HEAD.exec(line.toString('latin1', 0, Math.min(cut, HEAD_LENGTH)))
  if (tail === null || head === null) return undefined
  return { seq: Number(head[1]), time: head[2]!, kind: head[3]!, hash: tail[1]!, body: line.subarray(0, cut) }
}

/** True if the line follows the one with hash `previous`. */
export function follows(previous: string, parts: LineParts): boolean {
  const bytes = Buffer.allocUnsafe(HASH_LENGTH + parts.body.length)
  bytes.write(previous, 0, 'latin1')
  bytes.set(parts.body, HASH_LENGTH)
  return hashOf(bytes) === parts.hash
}

/** What a checkpoint vouches for. */
export interface CheckpointClaim {
  /** Id of the log, so that a checkpoint of one log says nothing about another. */
  readonly log: string
  /** The checkpoint's own number. */
  readonly seq: number
  readonly time: string
  /** Hash of the line before it, and so of everything before it. */
  readonly previous: string
  /** The gateway stopped in good order after it. */
  readonly final: boolean
}

/** The bytes that a checkpoint's signature covers. */
export function checkpointMessage({ log, seq, time, previous, final }: CheckpointClaim): Buffer {
  return Buffer.from(`ostiary-checkpoint/v1\n${log}\n${seq}\n${time}\n${previous}\n${final ? 'final' : 'open'}\n`)
}
