/**
 * OPA, as WebAssembly: a generic module in Rego, and the policy as its data by resource, so that what it looks at doesn't grow with other
 * resources. Its compiler is a Go program: it is built here once, into a cache outside the repository.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { loadPolicy } from '@open-policy-agent/opa-wasm'
import { methodsOf, templateOf, type Ask, type CommonPolicy, type Engine, type Opened, type Statement } from './subset.ts'

export const REGO = `package ostiary

default allow := false

allow if {
	some method in [input.method, "*"]
	some rule in data.rules[input.resource][method]
	applies(rule)
	not denied
}

denied if {
	some method in [input.method, "*"]
	some guardrail in data.guardrails[input.resource][method]
	applies(guardrail)
}

applies(statement) if {
	statement.role in input.roles
	covers(statement)
	fits(statement)
}

covers(statement) if {
	not statement.rest
	count(statement.segments) == count(input.segments)
	begins(statement)
}

covers(statement) if {
	statement.rest
	count(statement.segments) < count(input.segments)
	begins(statement)
}

begins(statement) if {
	every i, segment in statement.segments {
		same(segment, input.segments[i])
	}
}

same(segment, given) if segment == given

same(null, given) if given != ""

fits(statement) if not statement.claim

fits(statement) if input.claims[statement.claim.name] == statement.claim.value
`

const SOURCES = join(import.meta.dirname, '../../../tools/testbed/opa')
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ostiary-testbed')

function byResource(statements: readonly Statement[]): unknown {
  const all: Record<string, Record<string, unknown[]>> = {}
  for (const statement of statements) {
    const { segments, rest } = templateOf(statement.template)
    const { role, claim } = statement
    const entry = { role, rest, segments: segments.map((segment) => segment ?? null), ...(claim === undefined ? {} : { claim }) }
    const methods = (all[statement.resource] ??= {})
    for (const method of methodsOf(statement)) (methods[method] ??= []).push(entry)
  }
  return all
}

export const dataOf = ({ rules, guardrails }: CommonPolicy): object => ({ rules: byResource(rules), guardrails: byResource(guardrails) })

export const inputOf = ({ party, resource, method, path }: Ask): object => ({
  roles: party.roles,
  claims: party.claims,
  resource,
  method,
  segments: path.slice(1).split('/'),
})

function go(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('go', args, { cwd: SOURCES, encoding: 'utf8' })
  if (status !== 0) throw new Error(`go ${args[0]}: ${error?.message ?? stderr}`)
}

/** Where the module's WebAssembly is, or is to be: another one for another module or another version of OPA. */
function compiledFile(): string {
  const hash = createHash('sha256').update(REGO)
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, name)))
  return join(CACHE, `opa-${hash.digest('hex').slice(0, 16)}.wasm`)
}

/** Compiles the module if it isn't there. It takes minutes and downloads OPA's sources, so no test does it. Answers why it can't be done. */
export function buildOpa(): string | undefined {
  const file = compiledFile()
  if (existsSync(file)) return undefined
  if (spawnSync('go', ['version']).status !== 0) return 'Go is not installed, which its compiler is built with'
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'opa-'))
  try {
    writeFileSync(join(folder, 'policy.rego'), REGO)
    go(['run', '.', join(folder, 'policy.rego'), 'ostiary/allow', join(folder, 'policy.wasm')])
    renameSync(join(folder, 'policy.wasm'), file)
    return undefined
  } catch (error) {
    return (error as Error).message.split('\n')[0]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const opa: Engine = {
  name: 'OPA',
  setUp: 'WebAssembly in the same process; one generic module, the policy as its data by resource and method, `setData` once',
  missing() {
    return existsSync(compiledFile()) ? undefined : 'its WebAssembly is not there: `npm run load -- engines` builds it, with Go'
  },
  async open(policy): Promise<Opened> {
    const loaded = await loadPolicy(readFileSync(compiledFile()))
    loaded.setData(dataOf(policy))
    return {
      prepare(ask) {
        const input = inputOf(ask)
        return () => (loaded.evaluate(input) as readonly { readonly result: boolean }[])[0]?.result === true
      },
    }
  },
}
