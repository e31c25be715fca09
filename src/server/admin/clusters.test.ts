import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import type { Access } from '../../policy/index.ts'
import type { AdminEnv } from './app.ts'
import { clusterRoutes } from './clusters.ts'
import type { AdminParts } from './parts.ts'

const cluster = (name: string): object => ({ name, server: `https://door.example/clusters/${name}`, mode: 'impersonate' })

/** The admin API for somebody who has this access. */
function listed(access: Pick<Access, 'resources' | 'actor'> | undefined, mayAsk = true): Promise<unknown> {
  const parts = {
    mayAsk: () => mayAsk,
    now: () => 0,
    activations: { of: () => undefined },
    policy: () => ({ access: () => access }),
    clusters: () => ['shop', 'bank', 'orders'].map(cluster),
  } as unknown as AdminParts
  const app = new Hono<AdminEnv>()
  app.use(async (context, next) => {
    const passage = { principal: { identity: access === undefined ? undefined : {} }, exchange: { ip: '127.0.0.1' } }
    context.set('passage', passage as unknown as AdminEnv['Variables']['passage'])
    await next()
  })
  app.route('/api', clusterRoutes(parts))
  app.onError((error, context) => context.text(error.message, 429))
  return Promise.resolve(app.request('/api/clusters')).then((response) => (response.status === 200 ? response.json() : response.text()))
}

const on = (...all: readonly [string, string][]): Access['resources'] =>
  all.map(([resource, protocol]) => ({ resource, protocol, grants: [], guardrails: [], scopes: undefined }))

test('clusters are listed on which the policy gives something, and no other resources', async () => {
  const resources = on(['shop', 'kubernetes'], ['orders', 'http'])
  assert.deepEqual(await listed({ resources, actor: undefined }), [cluster('shop')])
  assert.deepEqual(await listed({ resources: [], actor: undefined }), [])
  assert.deepEqual(await listed(undefined), [])
})

test('who acts for somebody is listed what both reach', async () => {
  const actor = { resources: on(['bank', 'kubernetes']), actor: undefined } as unknown as Access
  assert.deepEqual(await listed({ resources: on(['shop', 'kubernetes'], ['bank', 'kubernetes']), actor }), [cluster('bank')])
})

test('it is not asked for without end', async () => {
  assert.match(String(await listed({ resources: [], actor: undefined }, false)), /too many|questions/)
})
