/** One proof of a large policy in a process of its own, so that its memory is its own: prints what it took as JSON. */
import { Pieces } from '../../../src/targets/envoy/pieces.ts'
import { compile } from '../../../src/server/configuration.ts'
import { nativeIssuers } from '../../../src/server/families.ts'
import { emitEnvoy } from '../../../src/targets/envoy/emit.ts'
import { planNode } from '../../../src/targets/envoy/nodes.ts'
import { proveEnvoy } from '../../../src/targets/envoy/prove.ts'
import { largePolicy } from '../plan/policies.ts'
import type { ProofFigures } from './proofs.ts'

const [rules = '10000', resources = '200'] = process.argv.slice(2)
const now = Date.UTC(2026, 0, 1)
const sources = largePolicy(Number(rules), Number(resources), 'nothing', false)
// Conditions over parts of a time or of a text have no native form.
const native = sources.policy.map(({ path, text }) => ({
  path,
  text: text
    .replaceAll(/when: "context\.time[^"]*"/g, `when: "claims.department == 'sales'"`)
    .replaceAll(/ && claims\.department\.startsWith\('eng'\)/g, ''),
}))
const { wiring, policy, diagnostics } = compile('.', { ...sources, policy: native }, now)
if (wiring === undefined || policy === undefined) throw new Error(diagnostics[0]?.message)
const began = performance.now()
const before = process.cpuUsage()
const plan = planNode({ name: 'edge', node: {}, wiring, policy, issuers: nativeIssuers(wiring), folder: '.' })
if (plan.diagnostics.length > 0) throw new Error(plan.diagnostics[0]!.message)
const made = emitEnvoy({
  name: 'edge',
  address: { host: '127.0.0.1', port: 1 },
  resources: plan.resources,
  keys: new Map(),
  tls: undefined,
  logs: undefined,
})
const proofs = proveEnvoy({ snapshot: new Pieces().snapshot(made), resources: plan.resources, policy, now })
const { user, system } = process.cpuUsage(before)
const figures: ProofFigures = {
  seconds: (performance.now() - began) / 1000,
  cpuSeconds: (user + system) / 1e6,
  mebibytes: process.resourceUsage().maxRSS / 1024,
  resources: proofs.length,
  comparisons: proofs.reduce((sum, { comparisons }) => sum + comparisons, 0),
  open: proofs.filter((one) => one.counterexamples.length + one.problems.length + one.notProven.length > 0).length,
}
process.stdout.write(JSON.stringify(figures))
if (figures.open > 0)
  process.stderr.write(
    `${JSON.stringify(proofs.find((one) => one.counterexamples.length + one.problems.length + one.notProven.length > 0))}\n`,
  )
