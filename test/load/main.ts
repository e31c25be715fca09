/**
 * `npm run load`: what a request costs, next to other proxies on the same machine.
 *
 *     npm run load                     the whole table
 *     npm run load -- --install        installs the other proxies first (apt-get, pip)
 *     npm run load -- --only nginx,ostiary-spool --repeats 2
 *     npm run load -- --warm 3         warms each proxy for 3 s instead of 15
 *     npm run load -- --write          puts the table into docs/performance.md
 *     npm run load -- soak             full load for a minute: no error, flat memory
 *     npm run load -- ab               correctness under `ab -k`
 *     npm run load -- plan             compares two versions of 10,000 rules exactly; fails where the bar is missed
 *     npm run load -- identity         CPU of each kind of credential, next to the signature alone; fails where a bar is missed
 *     npm run load -- policy           CPU of a decision by policies of 10 to 100,000 rules; fails where a bar is missed
 *     npm run load -- reload           how long nothing is decided while a new version is loaded; fails where the bar is missed
 *     npm run load -- envoy            how long 10,000 rules take to a real Envoy, one changed rule to an open connection, and a proof of them
 *     npm run load -- checks           CPU of an answer to an Envoy that asks, next to a handler that says yes to everything
 *     npm run load -- listeners        how long open connections keep a policy that travels in the listener, as in Istio and Kuma
 *     npm run load -- kubernetes       CPU of a GET and of a watch's event through the door for clusters, its latency and memory, next to `kubectl proxy`
 *     npm run load -- mutants          whether tests notice when one operator of the policy engine or of the comparer is another: one of each
 *                                      operator in each file; `--thin 6` for every sixth of those, `--each 10` for every tenth of all, `--file decide` for
 *                                      files (`--each sample` with it), `--list` to list
 *     npm run load -- engines          where Cedar, OPA and Casbin decide differently of the same policy
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ab } from './ab.ts'
import { bench, type Row } from './bench.ts'
import { candidates } from './candidates/index.ts'
import { differencesTable } from '../differential/policy/differences.ts'
import { buildOpa } from '../differential/policy/opa.ts'
import { runMutants } from '../mutation/run.ts'
import { identityTable, measureIdentity } from './identity/run.ts'
import { measurePolicy, measureReloads, policyTable, reloadTable } from './policy/run.ts'
import { planTable } from './plan/run.ts'
import { endOnSignals } from './processes.ts'
import { circumstances, json, madeBy, markdown } from './report.ts'
import { soak } from './soak.ts'
import { install, installCommand } from './tools.ts'

const COMMAND = `npm run load${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`
const DOCS = join(import.meta.dirname, '../../docs')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    install: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string' },
    repeats: { type: 'string' },
    slice: { type: 'string', default: '2' },
    warm: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '60' },
    mode: { type: 'string', default: 'spool' },
    each: { type: 'string' },
    file: { type: 'string' },
    part: { type: 'string' },
    list: { type: 'boolean', default: false },
    jobs: { type: 'string' },
    thin: { type: 'string' },
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    'no-latency': { type: 'boolean', default: false },
  },
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)

function chosen(): readonly string[] | undefined {
  const only = values.only?.split(',')
  const unknown = only?.filter((id) => !candidates.some((candidate) => candidate.id === id)) ?? []
  if (unknown.length > 0) throw new Error(`unknown candidate ${unknown.join(', ')}; there are ${candidates.map(({ id }) => id).join(', ')}`)
  return only
}

function positive(name: 'repeats' | 'slice' | 'seconds' | 'warm' | 'each' | 'thin' | 'jobs' | 'runs', otherwise?: number): number {
  const value = Number(values[name] ?? otherwise)
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`)
  return value
}

async function table(): Promise<boolean> {
  const only = chosen()
  const repeats = positive('repeats', 4)
  const seconds = positive('slice')
  const warm = positive('warm')
  const facts = circumstances(COMMAND, repeats, seconds, warm)
  const { rows, tokenBytes } = await bench({ only, repeats, seconds, warm, latency: !values['no-latency'], say })
  const text = markdown(rows, facts, tokenBytes)
  process.stdout.write(values.json ? `${JSON.stringify(json(rows, facts), undefined, 2)}\n` : `${text}\n`)
  if (values.write) write('load', text)
  return rows.every((row: Row) => row.outcome !== 'failed')
}

async function identity(): Promise<boolean> {
  const repeats = positive('repeats', 9)
  const { text, good } = identityTable(
    await measureIdentity({ slices: repeats, warm: 10, say }),
    madeBy(circumstances(COMMAND, repeats, 0, 0)),
  )
  process.stdout.write(`${text}\n`)
  if (values.write) write('load identity', text)
  return good
}

async function policy(): Promise<boolean> {
  withOpa()
  const figures = await measurePolicy({ slices: positive('repeats', 9), warm: 6, say })
  const { text, good } = policyTable(figures, madeBy(circumstances(COMMAND, positive('repeats', 9), 0, 0)))
  process.stdout.write(`${text}\n`)
  if (values.write) write('load policy', text)
  return good
}

function reload(): Promise<boolean> {
  const { text, good } = reloadTable(measureReloads(say), madeBy(circumstances(COMMAND, 1, 0, 0)))
  process.stdout.write(`${text}\n`)
  if (values.write) write('load reload', text)
  return Promise.resolve(good)
}

function plan(): Promise<boolean> {
  const { text, good } = planTable(madeBy(circumstances(COMMAND, 1, 0, 0)), say)
  process.stdout.write(`${text}\n`)
  if (values.write) write('load plan', text)
  return Promise.resolve(good)
}

async function envoy(): Promise<boolean> {
  const [{ fleetTable, measureFleet }, { measureProof, proofRows }, { costTable, measureCost }] = await Promise.all([
    import('./envoy/fleet.ts'),
    import('./envoy/proofs.ts'),
    import('./envoy/cost.ts'),
  ])
  const fleet = fleetTable(await measureFleet(say), madeBy(circumstances(COMMAND, 1, 0, 0)))
  const proof = proofRows(measureProof())
  const plan = { repeats: positive('repeats', 9), seconds: positive('slice'), warm: positive('warm', 15), say }
  const cost = costTable(await measureCost(plan))
  const text = [fleet.text, ...proof.rows, cost.row, '', cost.table].join('\n')
  process.stdout.write(`${text}\n`)
  if (values.write) write('load envoy', text)
  return fleet.good && proof.good && cost.good
}

async function checks(): Promise<boolean> {
  const { checksTable, measureChecks } = await import('./envoy/checks.ts')
  const slices = positive('repeats', 9)
  const text = checksTable(await measureChecks(slices, say), madeBy(circumstances(COMMAND, slices, 0, 0)))
  process.stdout.write(`${text}\n`)
  if (values.write) write('load checks', text)
  return true
}

async function listeners(): Promise<boolean> {
  const { listenersTable, measureListeners } = await import('./envoy/listeners.ts')
  const text = listenersTable(await measureListeners(say), madeBy(circumstances(COMMAND, 1, 0, 0)))
  process.stdout.write(`${text}\n`)
  if (values.write) write('load listeners', text)
  return true
}

async function kubernetes(): Promise<boolean> {
  const { kubernetesTable, measureKubernetes } = await import('./kubernetes/run.ts')
  const plan = { slices: positive('repeats', 7), seconds: positive('slice'), warm: positive('warm'), say }
  const text = kubernetesTable(await measureKubernetes(plan), madeBy(circumstances(COMMAND, plan.slices, plan.seconds, plan.warm)))
  process.stdout.write(`${text}\n`)
  if (values.write) write('load kubernetes', text)
  return true
}

/** OPA is compared with where it can be built. */
function withOpa(): void {
  const why = buildOpa()
  if (why !== undefined) say(`OPA is left out: ${why}`)
}

async function engines(): Promise<boolean> {
  withOpa()
  const text = await differencesTable()
  process.stdout.write(`${text}\n`)
  if (values.write) write('load engines', text, 'policy-engines.md')
  return true
}

/** Puts a table between the marks of its name. */
function write(
  name:
    | 'load'
    | 'load identity'
    | 'load policy'
    | 'load reload'
    | 'load plan'
    | 'load envoy'
    | 'load checks'
    | 'load listeners'
    | 'load kubernetes'
    | 'load engines',
  text: string,
  page = 'performance.md',
): void {
  const file = join(DOCS, page)
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const document = readFileSync(file, 'utf8')
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from === -1 || to < from) throw new Error(`docs/${page} has no ${begin} and ${end}`)
  writeFileSync(file, `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`)
}

function installAll(): void {
  const tools = [...new Set(['nginx', 'wrk', 'h2load', 'ab', ...candidates.flatMap(({ tool }) => tool ?? [])] as const)]
  for (const name of install(tools)) say(`${name} could not be installed: ${installCommand(name)}`)
}

endOnSignals()
try {
  if (values.install) installAll()
  const [what = 'table'] = positionals
  const modes = ['best-effort', 'spool', 'strict'] as const
  const mode = modes.find((one) => one === values.mode)
  if (mode === undefined) throw new Error(`--mode is one of ${modes.join(', ')}`)
  const runs: Record<string, () => Promise<boolean>> = {
    table,
    soak: () => soak({ seconds: positive('seconds'), mode, say }),
    ab: () => ab({ mode, say }),
    identity,
    policy,
    reload,
    plan,
    engines,
    envoy,
    checks,
    listeners,
    kubernetes,
    mutants: () =>
      runMutants({
        each: values.each === 'sample' || (values.each === undefined && values.file === undefined) ? 'sample' : positive('each', 1),
        files: values.file?.split(','),
        part: values.part,
        list: values.list,
        quick: values.quick,
        runs: positive('runs', 20),
        jobs: positive('jobs', 1),
        thin: positive('thin', 1),
        say,
      }),
  }
  const run = runs[what]
  if (run === undefined) throw new Error(`unknown run \`${what}\`; there are ${Object.keys(runs).join(', ')}`)
  process.exitCode = (await run()) ? 0 : 1
} catch (error) {
  say(`load: ${(error as Error).message}`)
  process.exitCode = 2
}
