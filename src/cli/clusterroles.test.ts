/** Roles of clusters on the command line, with a stand-in for kubectl that has nothing. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { assumptionNames } from '../targets/kubernetes/assume.ts'
import { keepBringing } from './clusterroles.ts'
import { captured, run, standInKubectl } from './testing.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/kubernetes')

describe('clusters on the command line', () => {
  let folder: string
  let remove: () => void
  before(() => {
    ;({ folder, remove } = standInKubectl())
  })
  after(() => remove())

  test('their policy is compiled into a folder, proven, and read back', async () => {
    const out = join(folder, 'out')
    const compiled = await run('compile', 'kubernetes', EXAMPLE, '--out', out)
    assert.equal(compiled.exit, 0, compiled.err)
    assert.deepEqual(readdirSync(join(out, 'prod')).toSorted(), ['authenticationconfiguration.yaml', 'documents.yaml'])
    assert.match(compiled.err, /narrower: `look`: namespaces that are not in `namespaces`/)
    assert.match(readFileSync(join(out, 'staging/documents.yaml'), 'utf8'), /name: 0c3f1f0a-6a57-4a36-9d8b-9f3c6d0f0a01/)
    const again = await run('compile', 'kubernetes', EXAMPLE, '--out', out)
    assert.notEqual(again.exit, 0, 'what is there is not written over')
    const proven = await run('prove', 'kubernetes', EXAMPLE)
    assert.equal(proven.exit, 0, proven.out)
    assert.match(proven.out, /prod: \d+ cells for 5 classes of callers, no difference/)
    const imported = await run('import', 'kubernetes', join(out, 'prod/documents.yaml'), '--resource', 'prod')
    assert.equal(imported.exit, 0, imported.err)
    assert.match(
      imported.out,
      /- id: shell\n {4}role: operator\n {4}resource: prod\n {4}actions:\n {6}- get pods -n shop-web\n {6}- create pods\/exec -n shop-web/,
    )
    const nothing = await run('import', 'kubernetes', join(EXAMPLE, 'ostiary.yaml'))
    assert.equal(nothing.exit, 65)
    const odd = await run('import', 'kubernetes', join(out, 'prod/documents.yaml'), '--resource', 'No Name')
    assert.match(odd.err, /`No Name` is no name of a resource/)
  })

  test('what is missing in a cluster is told, and what is applied goes by roles first', async () => {
    const drift = await run('drift', 'kubernetes', EXAMPLE, '--target', 'staging')
    assert.equal(drift.exit, 1)
    assert.match(drift.out, /^staging: \d+ documents \d+ differences\n {2}ClusterRole ostiary-version-[0-9a-f]{16}: missing/)
    await run('apply', 'kubernetes', EXAMPLE, '--target', 'staging')
    const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
    assert.ok(calls.every((one) => one.startsWith('--context staging ')))
    const applied = calls.filter((one) => one.includes(' apply '))
    assert.deepEqual(
      applied,
      Array.from({ length: 2 }, () => '--context staging apply --server-side --force-conflicts --field-manager ostiary -f -'),
    )
  })

  describe('with what somebody has activated', () => {
    let gateway: Server
    let url: string
    let active: readonly object[] = []
    let status = 200
    let dir: string
    const applied = (): readonly string[] =>
      readFileSync(join(folder, 'applied'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.stringify((JSON.parse(line) as { readonly items: readonly object[] }).items))
    before(async () => {
      dir = join(folder, 'timed')
      mkdirSync(join(dir, 'policy'), { recursive: true })
      const issuers = {
        ci: { kind: 'oidc', issuer: 'https://ci.example.com', audiences: ['kube'], claims: { repository: 'string' }, stepUp: 'never' },
      }
      const assume = assumptionNames
      const target = { kind: 'kubernetes', resource: 'prod', version: '1.36', context: 'prod', authentication: {}, assume }
      const wiring = {
        apiVersion: 'ostiary.dev/v1',
        issuers,
        resources: { prod: { protocol: 'kubernetes' } },
        doors: {},
        targets: { prod: target },
      }
      const policy = {
        apiVersion: 'ostiary.dev/v1',
        roles: {
          admin: { bind: [{ issuer: 'ci', claim: 'repository', any: ['infra'] }] },
          lead: { eligible: [{ issuer: 'ci', claim: 'repository', any: ['on-call'] }] },
        },
        rules: [
          { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
          { id: 'halt', role: 'lead', resource: 'prod', actions: ['delete pods -n shop'] },
        ],
      }
      writeFileSync(join(dir, 'ostiary.yaml'), stringify(wiring))
      writeFileSync(join(dir, 'policy/policy.yaml'), stringify(policy))
      gateway = createServer((_, response) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(active))
      })
      await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
      url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
    })
    after(() => gateway.close())

    const activation = (until: number) => ({ id: 'a1', issuer: 'ci', subject: 'lea', role: 'lead', until: new Date(until).toISOString() })

    test('they are bound too, and nobody whose time is over', async () => {
      rmSync(join(folder, 'applied'), { force: true })
      active = [activation(Date.now() + 60_000)]
      const { err } = await run('apply', 'kubernetes', dir, '--activations', '--admin', url)
      assert.doesNotMatch(err, /error/)
      assert.match(applied().at(-1)!, /"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"ostiary:ci:lea"/)
      active = [activation(Date.now())]
      await run('apply', 'kubernetes', dir, '--activations', '--admin', url)
      assert.doesNotMatch(applied().at(-1)!, /"kind":"User"/)
    })

    test('nothing is applied where the gateway does not say who, or where there can be none', async () => {
      rmSync(join(folder, 'applied'), { force: true })
      status = 500
      const failed = await run('apply', 'kubernetes', dir, '--activations', '--admin', url)
      status = 200
      assert.notEqual(failed.exit, 0)
      const none = await run('apply', 'kubernetes', EXAMPLE, '--target', 'staging', '--activations', '--admin', url)
      assert.equal(none.exit, 64)
      assert.match(none.err, /target `staging` has no bindings for a time/)
      const odd = await run('apply', 'kubernetes', dir, '--watch', '--admin', url)
      assert.match(odd.err, /`--watch` goes with `--activations`/)
      assert.ok(!existsSync(join(folder, 'applied')))
    })

    test('goes on until it is ended; a gateway that does not answer, and the end, leave nobody bound', async () => {
      rmSync(join(folder, 'applied'), { force: true })
      const one = { id: 'a1', issuer: 'ci', subject: 'lea', role: 'lead', until: Date.now() + 60_000 }
      const controller = new AbortController()
      const answers: (() => Promise<readonly (typeof one)[]>)[] = [
        async () => [one],
        () => Promise.reject(new Error('no gateway')),
        async () => [one],
        () => Promise.reject(new Error('no gateway')),
        () => Promise.reject(new Error('no gateway')),
        async () => [one],
      ]
      const isBound: boolean[] = []
      const { err } = await captured(async () => {
        await keepBringing(
          dir,
          {},
          {
            active: () => {
              // Each round has been applied by the time that the next is asked for.
              if (existsSync(join(folder, 'applied'))) isBound.push(applied().at(-1)!.includes('"kind":"User"'))
              const next = answers.shift()
              if (next === undefined) controller.abort()
              return next?.() ?? Promise.resolve([one])
            },
            output: { answer: () => undefined },
            signal: controller.signal,
            pauses: { look: 1, again: 1 },
          },
        )
        return 0
      })
      assert.match(err, /^no gateway$/m)
      assert.deepEqual(isBound, [true, true, true, true, false, true])
      assert.doesNotMatch(applied().at(-1)!, /"kind":"User"/, 'nobody would take it away any more')
    })
  })
})
