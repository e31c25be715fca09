import type { Clock } from '../core/clock.ts'
import type { GatewayEvent } from '../core/record.ts'
import { Anchor, type AnchorStatus, type SignedCheckpoint } from './anchors.ts'
import type { Entry } from './batch.ts'
import { checkpointMessage } from './chain.ts'
import { causeOf, type Disk } from './disk.ts'
import { iso } from './encode.ts'

/** Signs checkpoints: `sign` is called about once a second and must not wait. Ed25519; the keyring has one. */
export interface CheckpointSigner {
  /** Key that the next signature is made with. */
  readonly kid: string
  sign(bytes: Uint8Array): Uint8Array
}

/** Something began to fail, or works again. */
export interface Turn {
  readonly what: 'sign' | 'anchor' | 'anchor-works' | 'sign-works'
  readonly line: string
  readonly event: { readonly kind: string; readonly details: GatewayEvent['details'] } | undefined
}

export interface CheckpointsOptions {
  /** Id of the record. */
  readonly log: string
  readonly clock: Clock
  readonly signer: CheckpointSigner
  /** Files to which checkpoints go, too. */
  readonly anchors: readonly string[]
  readonly disk: Disk
  /** Policy versions that the segment cites so far. */
  readonly cited: () => ReadonlySet<string>
  readonly turned: (turn: Turn) => void
}

/** More policy versions in one segment than this aren't listed in its checkpoints: it is read for them then. */
const LISTED_POLICIES = 256

/** Makes the checkpoints of a record, and takes those that are durable to their anchors. */
export class Checkpoints {
  readonly #options: CheckpointsOptions
  readonly #anchors: readonly Anchor[]
  #cause: string | undefined

  constructor(options: CheckpointsOptions) {
    this.#options = options
    this.#anchors = options.anchors.map((file) => new Anchor(file, options.disk, (status) => this.#anchorTurned(status)))
  }

  get anchors(): readonly AnchorStatus[] {
    return this.#anchors.map(({ status }) => status)
  }

  /** What fails; undefined while all is well. */
  get failing(): string | undefined {
    if (this.#cause !== undefined) return `sign: ${this.#cause}`
    const anchor = this.anchors.find(({ healthy }) => !healthy)
    return anchor === undefined ? undefined : `anchor ${anchor.file}: ${anchor.cause ?? ''}`
  }

  /** Signs all that stands before it. Its text is made when its place in the chain is known. */
  entry(final: boolean): Entry {
    let signed: SignedCheckpoint | undefined
    return {
      transient: true,
      text: ({ seq, previous }) => {
        const { log, clock, cited } = this.#options
        signed = this.#sign({ log, seq, time: iso(clock.now()), previous, final })
        if (signed === undefined) return undefined
        const versions = [...cited()]
        const policies = versions.length <= LISTED_POLICIES ? `,"policies":${JSON.stringify(versions)}` : ''
        return `"time":"${signed.time}","kind":"checkpoint","log":"${log}","final":${final}${policies},"kid":${JSON.stringify(signed.kid)},"signature":"${signed.signature}"`
      },
      durable: () => {
        if (signed !== undefined) for (const anchor of this.#anchors) anchor.offer(signed)
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#anchors.map((anchor) => anchor.close()))
  }

  #sign(claim: Omit<SignedCheckpoint, 'kid' | 'signature'>): SignedCheckpoint | undefined {
    const { signer, turned } = this.#options
    const failed = this.#cause !== undefined
    try {
      const { kid } = signer
      const signature = Buffer.from(signer.sign(checkpointMessage(claim))).toString('base64url')
      this.#cause = undefined
      if (failed) turned({ what: 'sign-works', line: 'checkpoints are signed again', event: undefined })
      return { ...claim, kid, signature }
    } catch (error) {
      this.#cause = causeOf(error)
      const line = `checkpoints can not be signed (${this.#cause}): the record goes on without`
      if (!failed) turned({ what: 'sign', line, event: undefined })
      return undefined
    }
  }

  #anchorTurned({ file, healthy, cause = '' }: AnchorStatus): void {
    this.#options.turned(
      healthy
        ? { what: 'anchor-works', line: `anchor ${file} works again`, event: { kind: 'audit-anchor-works', details: { file } } }
        : {
            what: 'anchor',
            line: `anchor ${file} fails (${cause}): the record goes on without`,
            event: { kind: 'audit-anchor-fails', details: { file, cause } },
          },
    )
  }
}
