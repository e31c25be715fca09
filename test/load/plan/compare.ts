/** One comparison in a process of its own, so that its memory is its own: prints what it took as JSON. */
import { comparePolicies } from '../../../src/policy/compare/index.ts'
import { compile } from '../../../src/server/configuration.ts'
import { largePolicy, type ChangeKind } from './policies.ts'

const [rules = '10000', change = 'rules', resources = '40'] = process.argv.slice(2)
const now = Date.UTC(2026, 0, 1)
const loading = performance.now()
const [from, to] = [false, true].map((after) => {
  const { policy, diagnostics } = compile('.', largePolicy(Number(rules), Number(resources), change as ChangeKind, after), now)
  if (policy === undefined) throw new Error(diagnostics[0]?.message)
  return policy
})
const comparing = performance.now()
const before = process.cpuUsage()
const { changes, notProven, cells } = comparePolicies(from!, to!, { now })
const done = performance.now()
const { user, system } = process.cpuUsage(before)
process.stdout.write(
  JSON.stringify({
    loadSeconds: (comparing - loading) / 1000,
    compareSeconds: (done - comparing) / 1000,
    cpuSeconds: (user + system) / 1e6,
    mebibytes: process.resourceUsage().maxRSS / 1024,
    cells,
    changes: changes.length,
    notProven: notProven.length,
  }),
)
