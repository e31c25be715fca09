import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { z } from 'zod'
import { targetOf } from './places.ts'
import { stagesOf } from './rollout.ts'
import { issuerBase, resourceBase, targetBase, type Families } from './schema.ts'
import { readWiring } from './wiring.ts'

const families: Families = {
  issuers: { oidc: issuerBase.extend({ kind: z.literal('oidc') }) },
  resources: { http: resourceBase.extend({ protocol: z.literal('http') }) },
  doors: { envoy: z.strictObject({ nodes: z.record(z.string(), z.strictObject({})) }) },
  targets: {
    mesh: targetBase.extend({
      kind: z.literal('mesh'),
      version: z.enum(['1', '2']),
      context: z.string().optional(),
      zone: z.string().default('default'),
      labels: z.record(z.string(), z.string()).default({}),
      ports: z.array(z.number()).default([]),
    }),
  },
}

const HEAD = `apiVersion: ostiary.dev/v1
issuers: { corp: { kind: oidc, audiences: [api] } }
resources: {}
doors: { envoy: { nodes: { edge-1: {}, edge-2: {} } } }
`
const SHOP = `targets:
  test: { kind: mesh, version: '1', context: test }
  shop:
    kind: mesh
    version: '1'
    zone: z
    labels: { a: one, b: one }
    ports: [1, 2]
    places:
      eu-1: { context: prod-eu-1 }
      us-1: { context: prod-us-1, version: '2', labels: { b: two }, ports: [3] }
`

function read(text: string, environment?: string) {
  const over = environment === undefined ? undefined : { name: 'prod', path: 'environments/prod.yaml', text: environment }
  const { wiring, diagnostics } = readWiring({ wiring: { path: 'ostiary.yaml', text: HEAD + text }, environment: over }, families)
  return { wiring, problems: diagnostics.map(({ message, span }) => `${span?.line ?? 0} ${message}`) }
}

describe('a target in several places', () => {
  test('is as many targets, each with what is written for it laid over the rest', () => {
    const { wiring, problems } = read(SHOP)
    assert.deepEqual(problems, [])
    assert.deepEqual(wiring!.targets, {
      test: { kind: 'mesh', version: '1', context: 'test', zone: 'default', labels: {}, ports: [] },
      'shop@eu-1': { kind: 'mesh', version: '1', context: 'prod-eu-1', zone: 'z', labels: { a: 'one', b: 'one' }, ports: [1, 2] },
      'shop@us-1': { kind: 'mesh', version: '2', context: 'prod-us-1', zone: 'z', labels: { a: 'one', b: 'two' }, ports: [3] },
    })
    assert.deepEqual(Object.keys(wiring!.targets).map(targetOf), ['test', 'shop', 'shop'])
  })

  test('has one more by an environment', () => {
    const { wiring, problems } = read(SHOP, 'apiVersion: ostiary.dev/v1\ntargets: { shop: { places: { ap-1: { context: prod-ap-1 } } } }\n')
    assert.deepEqual(problems, [])
    assert.deepEqual(Object.keys(wiring!.targets), ['test', 'shop@eu-1', 'shop@us-1', 'shop@ap-1'])
  })

  for (const [what, from, to, expected] of [
    ['an unknown key', 'context: prod-eu-1', 'contxt: prod-eu-1', /^14 unknown key `contxt` in `targets\.shop@eu-1`/],
    ['a wrong value', "version: '2'", "version: '3'", /^15 `targets\.shop@us-1\.version`: must be `1` or `2`/],
    ['another kind', 'context: prod-eu-1', 'kind: other', /a place has neither `kind` nor `places` of its own/],
    ['places of places', 'context: prod-eu-1', 'places: {}', /a place has neither `kind` nor `places` of its own/],
    ['a text', '{ context: prod-eu-1 }', 'prod-eu-1', /`targets\.shop\.places\.eu-1` must be of type map/],
    ['a name that is none', 'eu-1:', 'EU:', /`targets\.shop\.places\.EU`: invalid key/],
    ['no place', /places:\n.*\n.*\n/, 'places: {}\n', /name a place/],
    ['a name that looks like a place', 'test:', "'test@eu':", /`targets\.test@eu`: invalid key/],
  ] as const)
    test(`${what} is refused, where it stands`, () => {
      assert.notEqual(SHOP.replace(from, to), SHOP)
      const { wiring, problems } = read(SHOP.replace(from, to))
      assert.equal(wiring, undefined)
      assert.match(problems.join('\n'), expected)
    })
})

describe('stages', () => {
  const STAGES = `${SHOP}rollout:
  stages:
    - { name: staging, targets: [test, envoy/edge-1] }
    - { name: one-region, targets: [shop@eu-1], settle: 5m }
    - { name: everywhere }
`
  test('have what they name, and the last one all the rest', () => {
    const { wiring, problems } = read(STAGES)
    assert.deepEqual(problems, [])
    assert.deepEqual(stagesOf(wiring!), [
      { name: 'staging', settle: 60_000, members: ['test', 'envoy/edge-1'] },
      { name: 'one-region', settle: 300_000, members: ['shop@eu-1'] },
      { name: 'everywhere', settle: 60_000, members: ['shop@us-1', 'envoy/edge-2'] },
    ])
    assert.equal(wiring!.rollout!.prove, true)
    assert.equal(stagesOf(read(SHOP).wiring!), undefined)
  })

  test('have all places of a target that is named', () => {
    const { wiring } = read(STAGES.replace('[shop@eu-1]', '[shop]'))
    assert.deepEqual(
      stagesOf(wiring!)!.map(({ members }) => members),
      [['test', 'envoy/edge-1'], ['shop@eu-1', 'shop@us-1'], ['envoy/edge-2']],
    )
  })

  for (const [what, from, to, expected] of [
    [
      'a target that there is not',
      'shop@eu-1]',
      'shop@eu-2]',
      /^19 `rollout\.stages\.1\.targets\.0`: there is no target, place or Envoy `shop@eu-2`/,
    ],
    ['one that is named twice', '[shop@eu-1]', '[shop@eu-1, test]', /`test` is in the stage `staging` already/],
    ['one that is named by its target as well', '[test, envoy/edge-1]', '[test, shop]', /`shop@eu-1` is in the stage `staging` already/],
    ['a stage that is called like another', 'name: one-region', 'name: staging', /two stages are called `staging`/],
    [
      'the rest in the middle',
      '{ name: one-region, targets: [shop@eu-1], settle: 5m }',
      '{ name: one-region }',
      /only the last stage is all the rest/,
    ],
    ['something in no stage', '{ name: everywhere }', '{ name: everywhere, targets: [shop@us-1] }', /`envoy\/edge-2` would be in no stage/],
    ['no stage', /stages:\n(.*\n)+/, 'stages: []\n', /`rollout\.stages`/],
  ] as const)
    test(`${what} is an error`, () => {
      assert.notEqual(STAGES.replace(from, to), STAGES)
      const { wiring, problems } = read(STAGES.replace(from, to))
      assert.equal(wiring, undefined)
      assert.match(problems.join('\n'), expected)
    })

  test('hold everything that there is exactly once, whatever is named', () => {
    const known = ['test', 'shop', 'shop@eu-1', 'shop@us-1', 'envoy/edge-1', 'envoy/edge-2', 'nothing']
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.subarray(known, { minLength: 1 }), { nil: undefined }), { minLength: 1, maxLength: 4 }),
        (named) => {
          const lines = named.map((one, i) => `    - { name: s${i}${one === undefined ? '' : `, targets: [${one.join(', ')}]`} }`)
          const { wiring } = read(`${SHOP}rollout:\n  stages:\n${lines.join('\n')}\n`)
          if (wiring === undefined) return
          const all = stagesOf(wiring)!.flatMap(({ members }) => members)
          assert.deepEqual(all.toSorted(), ['envoy/edge-1', 'envoy/edge-2', 'shop@eu-1', 'shop@us-1', 'test'])
        },
      ),
    )
  })
})
