import { hash } from 'node:crypto'
import type { Entropy } from '../../core/clock.ts'
import { Secret } from '../../core/secret.ts'

/** 256 random bits: nothing about a session can be learnt or guessed from it. */
const HANDLE_BYTES = 32
const HANDLE = /^[A-Za-z0-9_-]{43}$/

/** A new handle, the value of the session cookie. Not even the gateway keeps it. */
export function newHandle(entropy: Entropy): Secret {
  return new Secret(Buffer.from(entropy.bytes(HANDLE_BYTES)).toString('base64url'))
}

/** What the session is kept under; undefined for text that is no handle. */
export function keyOf(handle: Secret): string | undefined {
  const text = handle.reveal()
  return HANDLE.test(text) ? hash('sha256', text, 'base64url') : undefined
}

/** What sessions are found by that have the same name at their provider (`sid`). */
export function providerKeyOf(issuer: string, sid: string): string {
  return hash('sha256', `${issuer}\n${sid}`, 'base64url')
}
