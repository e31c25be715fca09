/** The corpora of decisions, decided in a browser by the same module: same version, same decisions. Needs Debian's `chromium`; only `.ci/run` runs it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { chromium, type Browser, type Page } from 'playwright-core'
import { build } from 'vite'
import { readSources } from '../../../src/config/load.ts'
import { readWiring } from '../../../src/config/wiring.ts'
import type * as policyModule from '../../../src/policy/index.ts'
import { runPolicyTests, type PolicyTestRun } from '../../../src/policy/index.ts'
import { compile } from '../../../src/server/configuration.ts'
import { families, kindClaims } from '../../../src/server/families.ts'
import { operationsOf } from '../../../src/server/operations.ts'

const root = join(import.meta.dirname, '../../..')
const NOW = Date.UTC(2026, 2, 2, 12)

/** What the bundle leaves in the page. */
interface InPage {
  readonly ostiary: Pick<typeof policyModule, 'loadPolicy' | 'runPolicyTests'>
}

describe('decisions in a browser', () => {
  let browser: Browser
  let page: Page
  before(async () => {
    const built = await build({
      configFile: false,
      logLevel: 'silent',
      build: { write: false, minify: false, lib: { entry: join(root, 'src/policy/index.ts'), formats: ['iife'], name: 'ostiary' } },
    })
    const [bundle] = [built].flat()
    assert.ok(bundle !== undefined && 'output' in bundle)
    browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
    page = await browser.newPage()
    await page.addScriptTag({ content: bundle.output[0].code })
  })
  after(() => browser.close())

  for (const corpus of ['decisions', 'language'])
    test(`the corpus \`${corpus}\``, async () => {
      const folder = join(root, 'test/corpus', corpus)
      const sources = readSources(folder)
      const { policy } = compile(folder, sources, NOW)
      const here = runPolicyTests(policy!, sources.tests, NOW)
      assert.ok(here.results.length > 100)

      // What the gateway itself hands to the policy, without anything that only Node has.
      const read = readWiring(sources, families)
      const gateway = { kind: 'gateway', claims: {}, audiences: [read.wiring!.name], clients: [], agents: [], stepUp: 'never' as const }
      const wiring = { issuers: { ...read.wiring!.issuers, ostiary: gateway }, resources: read.wiring!.resources }
      const { operations } = operationsOf(read.wiring!, read.root, sources)
      // Maps don't cross over as they are.
      const listed = [...operations].map(([name, known]) => [name, [...known]] as const)
      const given = { sources, wiring, kindClaims, mustAdminister: true, now: NOW, listed }
      const there = await page.evaluate(
        (load) => {
          const { loadPolicy, runPolicyTests: run } = (globalThis as unknown as InPage).ostiary
          const loaded = loadPolicy({
            ...load,
            operations: new Map(load.listed.map(([name, known]) => [name, new Map(known as never)])),
          } as never)
          const ran = loaded.policy === undefined ? undefined : run(loaded.policy, load.sources.tests as never, load.now)
          return { version: loaded.policy?.version, diagnostics: loaded.diagnostics, ran }
        },
        JSON.parse(JSON.stringify(given)) as typeof given,
      )

      assert.deepEqual(there.diagnostics, [])
      assert.equal(there.version, policy!.version)
      const plain = ({ results }: PolicyTestRun): unknown => JSON.parse(JSON.stringify(results))
      assert.deepEqual(plain(there.ran!), plain(here))
      assert.ok(here.results.every(({ passed }) => passed))
    })
})
