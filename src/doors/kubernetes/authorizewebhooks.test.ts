import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Credential } from '../../core/credential.ts'
import { noMeter } from '../../core/meter.ts'
import { Pipeline } from '../../core/pipeline.ts'
import type { DecisionEvent, Outcome } from '../../core/record.ts'
import { canonical } from '../../http/canonical.ts'
import type { Answer, OwnRequest, RawRequest } from '../../http/engine.ts'
import { ManualClock } from '../../testing/clock.ts'
import { identityOf, policyOf, swappable, TOKEN } from '../../testing/httpdoor.ts'
import { Auditing } from './auditing.ts'
import type { ReviewingPolicy } from './authorize.ts'
import { createWebhooks } from './authorizewebhooks.ts'
import { resourceSchema } from './schema.ts'

const LIMITS = { url: 8192, fields: 65536, fieldCount: 100 }
const REVIEW = JSON.stringify({
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  spec: { user: 'jane', groups: [], resourceAttributes: { verb: 'list', resource: 'pods' } },
})
const EVENTS = JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [] })

class World {
  readonly clock = new ManualClock()
  readonly records: { readonly event: DecisionEvent; readonly outcomes: Outcome[] }[] = []
  readonly #pipeline: Pipeline
  readonly #webhooks: ReturnType<typeof createWebhooks>

  constructor(mayAsk: (path: string) => boolean = () => true) {
    let ids = 0
    const { clock, records } = this
    const recorder = {
      decided: (event: DecisionEvent) => void records.push({ event, outcomes: [] }),
      completed: (id: string, outcome: Outcome) => void records.find(({ event }) => event.id === id)?.outcomes.push(outcome),
      note: () => undefined,
      noteDurably: () => Promise.resolve(),
    }
    const policy = policyOf((_principal, method, path) => method === 'POST' && mayAsk(path))
    this.#pipeline = new Pipeline({
      clock,
      newId: () => `d${++ids}`,
      authenticator: {
        authenticate: (credential: Credential) =>
          credential.kind === 'certificate' || (credential.kind === 'bearer' && credential.token.reveal() === TOKEN)
            ? { outcome: 'verified', verified: { identity: identityOf('api-server'), expiresAt: clock.now() + 3_600_000, revoked: false } }
            : { outcome: 'rejected', reason: 'signature' },
      },
      policies: swappable(policy),
      recorder,
    })
    const reviewing: ReviewingPolicy = { ...policy, holding: () => policy.anonymous, isGuarded: () => true }
    this.#webhooks = createWebhooks({
      pipeline: this.#pipeline,
      certificates: true,
      clock,
      meter: noMeter,
      trusted: { includes: () => false },
      name: 'kubernetes',
      authorize: { policies: { current: reviewing }, recorder, newId: () => `r${++ids}` },
      auditing: new Auditing({ clock, meter: noMeter, note: () => Promise.resolve() }),
      clusters: () => ({ all: [], find: () => undefined }),
      resources: () => ({ bed: resourceSchema.parse({ protocol: 'kubernetes' }) }),
    })
  }

  get open(): number {
    return this.#pipeline.open.size
  }

  async plan(
    path: string,
    { method = 'POST', token = TOKEN as string | null, certificate = false } = {},
  ): Promise<Answer | OwnRequest | undefined> {
    const raw: RawRequest = {
      version: '1.1',
      method,
      target: path,
      rawHeaders: ['Host', 'kube.example.com', ...(token === null ? [] : ['Authorization', `Bearer ${token}`]), 'Content-Length', '1'],
      authority: undefined,
      scheme: undefined,
      protocol: undefined,
      endStream: false,
      secure: true,
      serverName: undefined,
      peer: '10.0.0.9',
      localPort: 443,
      ...(certificate ? { certificate: () => ({}) as never } : {}),
    }
    const read = canonical(raw, LIMITS)
    assert.ok(read.ok, JSON.stringify(read))
    const plan = await this.#webhooks(raw, read.request, () => ({ id: 't', traceparent: '', tracestate: undefined }))
    assert.notEqual(plan?.kind, 'forward')
    return plan as Answer | OwnRequest | undefined
  }

  async answered(path: string, body: string, who: Parameters<World['plan']>[1] = {}): Promise<Answer> {
    const plan = await this.plan(path, who)
    assert.ok(plan !== undefined, 'it is a webhook')
    return plan.kind === 'own' ? plan.answer(Buffer.from(body)) : plan
  }
}

describe('a webhook', () => {
  for (const [path, body, answer] of [
    ['/webhooks/bed/authorize', REVIEW, 'SubjectAccessReview'],
    ['/webhooks/bed/audit', EVENTS, '{}'],
  ] as const) {
    test(`answers on ${path} whom the policy lets ask, as an action on the gateway itself`, async () => {
      const world = new World((asked) => asked === path)
      const { status, body: text } = await world.answered(`${path}?timeout=30s`, body)
      assert.equal(status, 200)
      assert.ok(text.includes(answer), text)
      const [{ event, outcomes }] = world.records as [(typeof world.records)[number]]
      const { resource, action, principal, verdict, ip } = event
      assert.deepEqual(
        [resource, action, principal.subject, verdict.kind, ip],
        ['ostiary', { protocol: 'http', method: 'POST', path }, 'api-server', 'allowed', '10.0.0.9'],
      )
      assert.deepEqual(
        outcomes.map(({ result, bytesIn }) => [result, bytesIn]),
        [['completed', body.length]],
      )
      assert.equal(world.open, 0)
    })
    test(`turns away on ${path} whom it doesn’t`, async () => {
      const world = new World((asked) => asked !== path)
      const { status, body: text } = await world.answered(path, body)
      assert.equal(status, 403)
      assert.match(text, /rule `read` allows it to `reader`/)
      assert.equal(world.records[0]!.event.verdict.kind, 'denied')
    })
    test(`turns away on ${path} whoever is nobody, or not who they say`, async () => {
      const nobody = await new World(() => false).answered(path, body, { token: null })
      assert.deepEqual([nobody.status, /no credential came/.test(nobody.body)], [401, true])
      const wrong = await new World().answered(path, body, { token: 'wrong' })
      assert.deepEqual([wrong.status, /the signature of the token is wrong/.test(wrong.body)], [401, true])
    })
  }

  test('takes a client certificate as a credential', async () => {
    const { status } = await new World().answered('/webhooks/bed/authorize', REVIEW, { token: null, certificate: true })
    assert.equal(status, 200)
  })
  test('says that there is no such cluster to whom it would answer about any, and to nobody else', async () => {
    assert.equal((await new World().answered('/webhooks/other/authorize', REVIEW)).status, 404)
    assert.equal((await new World(() => false).answered('/webhooks/other/authorize', REVIEW)).status, 403)
    assert.equal((await new World().answered('/webhooks/constructor/audit', EVENTS)).status, 404)
  })
  test('is no other method or path', async () => {
    const world = new World()
    for (const [path, method] of [
      ['/webhooks/bed/authorize', 'GET'],
      ['/webhooks/bed/other', 'POST'],
      ['/webhooks/bed/constructor', 'POST'],
      ['/webhooks/bed/authorize/x', 'POST'],
      ['/webhooks/BED/authorize', 'POST'],
    ] as const)
      assert.equal(await world.plan(path, { method }), undefined, path)
    assert.deepEqual(world.records, [])
  })
  test('forgets whose body never comes', async () => {
    const world = new World()
    await world.plan('/webhooks/bed/authorize')
    assert.equal(world.open, 1)
    world.clock.advance(60_000)
    assert.equal(world.open, 0)
    assert.deepEqual(
      world.records[0]!.outcomes.map(({ result }) => result),
      ['client-aborted'],
    )
  })
  test('takes so many batches of events at once, and more when these are over', async () => {
    const world = new World()
    const plans = [await world.plan('/webhooks/bed/audit'), ...(await Promise.all([1, 2, 3].map(() => world.plan('/webhooks/bed/audit'))))]
    const refused = await world.answered('/webhooks/bed/audit', EVENTS)
    assert.deepEqual([refused.status, refused.fields.includes('Retry-After')], [429, true])
    assert.equal((await world.answered('/webhooks/bed/authorize', REVIEW)).status, 200, 'reviews are not held up by them')
    const [first] = plans
    assert.equal(first?.kind === 'own' ? (await first.answer(Buffer.from(EVENTS))).status : undefined, 200)
    assert.equal((await world.answered('/webhooks/bed/audit', EVENTS)).status, 200)
    world.clock.advance(60_000)
    const again = await Promise.all([1, 2, 3, 4].map(() => world.plan('/webhooks/bed/audit')))
    assert.deepEqual(
      again.map((one) => one?.kind),
      ['own', 'own', 'own', 'own'],
    )
    assert.equal((await world.plan('/webhooks/bed/audit'))?.kind, 'answer', 'and no more than that')
  })
})
