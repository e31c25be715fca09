import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { ManualClock } from '../../testing/clock.ts'
import { until } from '../../testing/kubernetesdoor.ts'
import { jsonOf, standInApiServer, type StandInApiServer } from '../../testing/standin-apiserver.ts'
import { clustersOf } from './clusters.ts'
import type { Discovery } from './discovery.ts'
import { resourceSchema } from './schema.ts'

const WIDGETS = jsonOf({ resources: [{ name: 'widgets', namespaced: false }] })

async function setUp(t: TestContext, answer: StandInApiServer['answer']) {
  const api = await standInApiServer(answer, { http2: false })
  t.after(() => api.close())
  const clock = new ManualClock()
  const config = resourceSchema.parse({ protocol: 'kubernetes', server: api.url, mode: 'pass-through', audience: 'x' })
  const [cluster] = clustersOf({ bed: config }, { folder: '.', clock }).all
  // What vouches for the stand-in is in no file.
  Object.assign(cluster!.target, { ca: api.ca })
  const { discovery } = cluster!
  return { api, clock, discovery, widgets: () => discovery.namespaced('example.com', 'v1', 'widgets') }
}

const ask = (discovery: Discovery, from: number, to: number): readonly Promise<void>[] =>
  Array.from({ length: to - from }, (_, i) => discovery.ask(`made-up-${from + i}.example.com`, 'v1'))

test('a cluster is asked little at once, whoever makes up groups', async (t) => {
  const { api, discovery } = await setUp(t, () => undefined)
  const asked = ask(discovery, 0, 200)
  let answered = 0
  for (const one of asked) void one.then(() => answered++)
  await until(() => answered > 0 && api.seen.length > 0)
  assert.equal(answered + discovery.asking, 200)
  assert.ok(discovery.asking <= 16, `${discovery.asking}`)
})

test('what is known of a group outlives any number of groups that there are not', async (t) => {
  const { discovery, widgets } = await setUp(t, ({ path }) => (path === '/apis/example.com/v1' ? WIDGETS : jsonOf({}, 404)))
  await discovery.ask('example.com', 'v1')
  assert.equal(widgets(), false)
  for (let from = 0; from < 2100; from += 10) await Promise.all(ask(discovery, from, from + 10))
  assert.equal(widgets(), false)
  assert.ok(discovery.size <= 2001, `${discovery.size}`)
})

test('what is known no more is asked for again, and is as before where there is no answer', async (t) => {
  const { api, clock, discovery, widgets } = await setUp(t, () => WIDGETS)
  await discovery.ask('example.com', 'v1')
  clock.advance(299_000)
  assert.ok(discovery.knows('example.com', 'v1', 'widgets'))
  clock.advance(1_001)
  // It may have been made anew, in namespaces: whoever asks now waits for what it is now.
  assert.ok(!discovery.knows('example.com', 'v1', 'widgets'))
  api.answer = () => jsonOf({ resources: [{ name: 'widgets', namespaced: true }] })
  await discovery.ask('example.com', 'v1')
  assert.equal(widgets(), true)
  clock.advance(300_001)
  api.answer = () => jsonOf({}, 500)
  await discovery.ask('example.com', 'v1')
  assert.deepEqual([widgets(), discovery.knows('example.com', 'v1', 'widgets')], [true, true])
})
