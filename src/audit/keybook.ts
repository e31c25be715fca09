import { verify, type KeyObject } from 'node:crypto'
import { ed25519Key, isEndorsed } from '../secrets/keyring.ts'
import type { SignedCheckpoint } from './anchors.ts'
import { checkpointMessage } from './chain.ts'

/** A public checkpoint key, as the gateway publishes it. */
export interface CheckpointKey {
  readonly kid: string
  readonly x: string
}

/** The checkpoint keys that are believed: those given, and those that one of them says follow it. */
export class KeyBook {
  readonly #keys = new Map<string, KeyObject>()

  constructor(keys: readonly CheckpointKey[]) {
    for (const { kid, x } of keys) {
      const key = ed25519Key(x)
      if (key !== undefined) this.#keys.set(kid, key)
    }
  }

  /** Takes in the details of a `key-rotated` event, if they are what they claim to be. */
  learn(details: Readonly<Record<string, unknown>>): void {
    const { purpose, kid, previous, x, signature } = details
    if (purpose !== 'checkpoint' || typeof kid !== 'string' || typeof previous !== 'string') return
    if (typeof x !== 'string' || typeof signature !== 'string' || this.#keys.has(kid)) return
    const by = this.#keys.get(previous)
    const key = ed25519Key(x)
    if (by !== undefined && key !== undefined && isEndorsed(by, kid, x, signature)) this.#keys.set(kid, key)
  }

  check(checkpoint: SignedCheckpoint): 'good' | 'bad' | 'unknown-key' {
    const key = this.#keys.get(checkpoint.kid)
    if (key === undefined) return 'unknown-key'
    return verify(null, checkpointMessage(checkpoint), key, Buffer.from(checkpoint.signature, 'base64url')) ? 'good' : 'bad'
  }
}
