/** An Envoy as far as it is fed: it takes what it is sent, or not, and keeps the bytes. */
import assert from 'node:assert/strict'
import { Client, credentials } from '@grpc/grpc-js'
import { DeltaClient } from '../envoy/xds/testdata/client.ts'
import { kindOf, type Kind } from '../envoy/xds/types.ts'
import { FILTERS } from '../targets/envoy/emit.ts'

/** Until something is so. What it waits for goes over loopback, so that turns of the loop pass and no time is measured. */
export async function until(what: string, look: () => boolean): Promise<void> {
  for (let turns = 0; !look(); turns++) {
    assert.ok(turns < 200_000, `it never comes to be so: ${what}`)
    await new Promise((resume) => setImmediate(resume))
  }
}

/** Of the resource `api`. What was sent last of each, and an opinion about it. */
export class FakeEnvoy {
  readonly has = new Map<string, string>()
  rejects: (kind: Kind, text: string) => boolean = () => false
  readonly #client: Client
  readonly #stream: DeltaClient

  constructor(node: string, port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
    this.#stream = new DeltaClient(this.#client, node)
    for (const kind of ['cluster', 'listener', 'scope'] as const) this.#stream.ask(kind)
    this.#stream.ask('extension', { subscribe: [FILTERS.tokens, FILTERS.revoked] })
    this.#stream.ask('route', { subscribe: ['api'] })
    void this.#take()
  }

  async #take(): Promise<void> {
    for (;;) {
      const { typeUrl, nonce, resources } = await this.#stream.arrivals.next()
      const kind = kindOf(typeUrl)!
      const texts = resources.map(({ name, resource }) => [name, Buffer.from(resource?.value ?? []).toString('latin1')] as const)
      if (texts.some(([, text]) => this.rejects(kind, text))) {
        this.#stream.say(kind, { responseNonce: nonce, errorDetail: { code: 13, message: 'I will not' } })
        continue
      }
      for (const [name, text] of texts) this.has.set(`${kind} ${name}`, text)
      this.#stream.say(kind, { responseNonce: nonce })
    }
  }

  /** Ids of the rules that it enforces. */
  rules(): string {
    return [...(this.has.get('route api') ?? '').matchAll(/rule-[0-9]/g)]
      .map(([id]) => id)
      .filter((id, at, all) => all.indexOf(id) === at)
      .join(' ')
  }

  revoked(): string {
    return [...(this.has.get(`extension ${FILTERS.revoked}`) ?? '').matchAll(/somebody-[0-9]/g)].map(([id]) => id).join(' ')
  }

  close(): void {
    this.#stream.cancel()
    this.#client.close()
  }
}
