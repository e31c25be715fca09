import type { IssuerBase } from '../../config/schema.ts'
import type { Issuer } from '../issuer.ts'
import { Poll } from './poll.ts'
import { EventReceiver, type EventAnswer, type ReceiverParts } from './receiver.ts'
import type { EventsConfig } from './schema.ts'

/** The streams of security events of all issuers that have one. */
export class Events {
  readonly #receivers = new Map<string, EventReceiver>()
  readonly #polls: Poll[] = []

  constructor(configs: Readonly<Record<string, IssuerBase>>, issuers: readonly Issuer[], parts: Omit<ReceiverParts, 'issuer' | 'config'>) {
    for (const issuer of issuers) {
      const { events: config } = (configs[issuer.name] ?? {}) as { readonly events?: EventsConfig }
      if (config === undefined) continue
      const receiver = new EventReceiver({ ...parts, issuer, config })
      this.#receivers.set(issuer.name, receiver)
      if ('poll' in config.delivery)
        this.#polls.push(new Poll({ issuer: issuer.name, poll: config.delivery.poll, receiver, deps: parts.deps }))
    }
  }

  /** Takes an event that is posted for `issuer` (RFC 8935); undefined where there is no such stream. @param bearer What came with it. */
  push(issuer: string, bearer: string | undefined, set: string, source: string): Promise<EventAnswer> | undefined {
    return this.#receivers.get(issuer)?.push(bearer, set, source)
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers.values()) receiver.close()
    await Promise.all(this.#polls.map((poll) => poll.close()))
  }
}
