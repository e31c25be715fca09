import { Readable } from 'node:stream'

/**
 * A request body on its way to an upstream: counted, limited, and apart from the connection that it comes from, so that
 * an upstream client which destroys the body it was given doesn't take the answer to the caller with it.
 */
export class RequestBody extends Readable {
  /** Bytes passed on so far. */
  bytes = 0
  readonly source: Readable
  readonly #limit: number
  readonly #onTooLarge: () => void
  #attached = false

  constructor(source: Readable, limit: number, onTooLarge: () => void) {
    super({ highWaterMark: 65_536 })
    this.source = source
    this.#limit = limit
    this.#onTooLarge = onTooLarge
  }

  override _read(): void {
    if (this.#attached) {
      this.source.resume()
      return
    }
    this.#attached = true
    this.source.on('data', this.#take).on('end', this.#end).on('error', this.#broken).on('close', this.#broken)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.source.off('data', this.#take).off('end', this.#end).off('close', this.#broken)
    if (this.#attached && !this.source.readableEnded) this.source.pause()
    callback(error)
  }

  readonly #take = (chunk: Buffer): void => {
    this.bytes += chunk.length
    if (this.#limit > 0 && this.bytes > this.#limit) {
      this.#onTooLarge()
      this.destroy(new Error('the body is too large'))
    } else if (!this.push(chunk)) {
      this.source.pause()
    }
  }

  readonly #end = (): void => {
    this.source.off('close', this.#broken)
    this.push(null)
  }

  readonly #broken = (): void => {
    this.destroy(new Error('the body broke off'))
  }
}
