/** `ostiary apply istio` and `ostiary drift istio` as they are run, with a stand-in for kubectl. */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Command } from 'commander'
import { ASSUMPTIONS } from '../targets/istio/assume.ts'
import { openFleet } from './fleet.ts'
import { run } from './testing.ts'
import type { StandInCluster } from '../testing/standin-kubectl.ts'
import { testKey } from '../testing/tokens.ts'

describe('Istio on the command line', () => {
  const path = process.env['PATH'] ?? ''
  let folder: string
  const file = (): string => join(folder, 'cluster.json')
  const cluster = (): StandInCluster => JSON.parse(readFileSync(file(), 'utf8')) as StandInCluster

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'apply-istio-'))
    cpSync(join(import.meta.dirname, '../../examples/istio'), folder, { recursive: true })
    // Whose keys are at hand, so that nobody has to be asked.
    const wiring = readFileSync(join(folder, 'ostiary.yaml'), 'utf8')
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      wiring.replace(
        /kind: oidc\n    issuer: https:\/\/id\.example\.com/,
        'kind: jwt\n    issuer: https://id.example.com\n    keys: [{ file: keys.json }]',
      ),
    )
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [testKey('es', 'ES256').jwk] }))
    writeFileSync(file(), JSON.stringify({ documents: {}, calls: [] } satisfies StandInCluster))
    const standin = join(import.meta.dirname, '../testing/standin-kubectl.ts')
    writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\nexec '${process.execPath}' '${standin}' '${file()}' "$@"\n`)
    chmodSync(join(folder, 'kubectl'), 0o755)
    process.env['PATH'] = `${folder}${delimiter}${path}`
  })
  after(() => {
    process.env['PATH'] = path
    rmSync(folder, { recursive: true, force: true })
  })

  test('nothing is there, then everything is, with keys, and then something was changed', async () => {
    const missing = await run('drift', 'istio', folder)
    assert.equal(missing.exit, 1)
    assert.match(
      missing.out,
      /^shop-mesh: \d+ documents \d+ differences\n {2}AuthorizationPolicy shop\/ostiary-allow-nothing-[0-9a-f]+: missing/,
    )
    assert.deepEqual(cluster().documents, {})

    const applied = await run('apply', 'istio', folder)
    assert.equal(applied.exit, 0, applied.err)
    assert.match(applied.out, /^shop-mesh: \d+ documents applied, as they should be/)
    const authentications = Object.values(cluster().documents).filter(({ kind }) => kind === 'RequestAuthentication')
    assert.equal(authentications.length, 2)
    for (const { spec } of authentications) assert.match(JSON.stringify(spec), /\\"kid\\":\\"es\\"/)
    assert.equal((await run('drift', 'istio', folder, '--keys')).exit, 0)

    const policy = join(folder, 'policy/shop.yaml')
    writeFileSync(policy, readFileSync(policy, 'utf8').replace(/ {2}- \{ id: health.*\n/, ''))
    const left = await run('drift', 'istio', folder)
    assert.equal(left.exit, 1)
    assert.match(left.out, /ostiary-allow-health-[0-9a-f]+: no part of this any more, and still in force/)
    const pruned = await run('apply', 'istio', folder, '--prune')
    assert.equal(pruned.exit, 0, pruned.err)
    assert.match(pruned.out, /ostiary-allow-health-[0-9a-f]+: removed/)
  })

  test('what is observed is tried until it ends, and is a difference from then on', async () => {
    const [wiring, policy] = [join(folder, 'ostiary.yaml'), join(folder, 'policy/shop.yaml')]
    const [plainWiring, plainPolicy] = [wiring, policy].map((one) => readFileSync(one, 'utf8')) as [string, string]
    const end = Date.now() + 8_000
    const until = new Date(end).toISOString()
    const soon = `  - { id: soon, for: [everyone], resource: orders, deny: [GET /soon], mode: observe, until: '${until}' }\n`
    writeFileSync(policy, plainPolicy.replace('guardrails:\n', `guardrails:\n${soon}`))
    const refused = await run('apply', 'istio', folder)
    assert.equal(refused.exit, 65)
    assert.match(refused.err, /can not tell when something is no longer only observed.*\n[^]*`reapplied-when-observation-ends` under/)
    writeFileSync(wiring, plainWiring.replace('    assume:\n', '    assume:\n      - reapplied-when-observation-ends\n'))
    const applied = await run('apply', 'istio', folder, '--prune')
    assert.ok(Date.now() < end, 'too slow to see it observed')
    assert.equal(applied.exit, 0, applied.err)
    assert.match(applied.err, new RegExp(`holds until ${until}: it has to be applied again then, for an observation ends`))
    const tried = Object.values(cluster().documents).filter(({ metadata }) => metadata.annotations?.['istio.io/dry-run'] === 'true')
    assert.deepEqual(
      tried.map(({ metadata }) => metadata.name.replace(/-[0-9a-f]{10}$/, '')),
      ['ostiary-deny-soon'],
    )
    const { members } = await openFleet(folder, {}, new Command())
    await (await members[0]!.open(AbortSignal.timeout(60_000))).close()
    while (Date.now() < end) await wait(100)
    // Whoever began before does not go on with what held then.
    assert.throws(
      () => members[0]!.open(AbortSignal.timeout(60_000)),
      /what was compiled held until .*, when an observation ended: run this again/,
    )
    const drifted = await run('drift', 'istio', folder)
    assert.equal(drifted.exit, 1)
    assert.match(drifted.out, /ostiary-deny-soon-[0-9a-f]+: not as it should be/)
    assert.doesNotMatch(drifted.err, /holds until/)
    assert.equal((await run('apply', 'istio', folder)).exit, 0)
    assert.equal((await run('drift', 'istio', folder)).exit, 0)
    writeFileSync(wiring, plainWiring)
    writeFileSync(policy, plainPolicy)
  })

  test('the example is right, and its page names everything that may be assumed', async () => {
    const example = join(import.meta.dirname, '../../examples/istio')
    const checked = await run('check', example)
    assert.equal(checked.exit, 0, checked.err)
    const page = readFileSync(join(import.meta.dirname, '../../docs/istio.md'), 'utf8')
    for (const [name, { what, ensure }] of Object.entries(ASSUMPTIONS))
      assert.ok(page.includes(`| \`${name}\` | ${what} | ${ensure} |`), name)
  })

  test('what is refused is not applied, and a target without a cluster neither', async () => {
    const wiring = readFileSync(join(folder, 'ostiary.yaml'), 'utf8')
    const before = cluster().calls.length
    writeFileSync(join(folder, 'ostiary.yaml'), wiring.replace('      - plain-headers\n', ''))
    const refused = await run('apply', 'istio', folder)
    assert.equal(refused.exit, 65)
    assert.match(refused.err, /target\/can-not-tell/)
    writeFileSync(join(folder, 'ostiary.yaml'), wiring.replace('    context: shop\n', ''))
    const nowhere = await run('apply', 'istio', folder)
    assert.equal(nowhere.exit, 64)
    assert.match(nowhere.err, /target `shop-mesh` names no cluster/)
    assert.equal(cluster().calls.length, before)
  })
})
