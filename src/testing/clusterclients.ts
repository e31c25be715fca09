/** Clients of clusters besides kubectl, which are no dependencies of ours: they are had into the cache when a suite asks for them. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clusterCache, kubebed, onceIn, said } from './clusterbinary.ts'

export const HELM_VERSION = '3.22.0'
export const CLIENT_NODE_VERSION = '2.0.1'

const HELM_MS = 15 * 60_000
const NPM_MS = 180_000

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Path of Helm; builds it the first time, which takes minutes.
 * @throws Error that says what failed
 */
export async function helm(environment: Environment = process.env): Promise<string> {
  const folder = join(clusterCache(environment), `helm-${HELM_VERSION}`)
  await onceIn(folder, (unfinished) =>
    had(unfinished, 'nice', ['go', 'install', '-trimpath', '-ldflags', '-s -w', `helm.sh/helm/v3/cmd/helm@v${HELM_VERSION}`], HELM_MS, {
      ...environment,
      GOBIN: unfinished,
      GOFLAGS: '-buildvcs=false',
      CGO_ENABLED: '0',
    }),
  )
  return join(folder, 'helm')
}

/**
 * Path of the module `@kubernetes/client-node`, to be imported.
 * @throws Error that says what failed
 */
export async function clientNode(environment: Environment = process.env): Promise<string> {
  const folder = join(clusterCache(environment), `client-node-${CLIENT_NODE_VERSION}`)
  const args = ['install', '--prefix', '.', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save']
  await onceIn(folder, (unfinished) =>
    had(unfinished, 'npm', [...args, `@kubernetes/client-node@${CLIENT_NODE_VERSION}`], NPM_MS, environment),
  )
  return join(folder, 'node_modules', '@kubernetes', 'client-node', 'dist', 'index.js')
}

async function had(folder: string, program: string, args: readonly string[], timeout: number, env: Environment): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const { code, output } = await said(program, args, { cwd: folder, env, timeout })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${output.slice(-2_000)}`)
}

/** As a program: has all of it, one after the other, and says where it is and how long that took. */
if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const have of [kubebed, helm, clientNode]) {
    const from = performance.now()
    process.stdout.write(`${await have()} (${((performance.now() - from) / 1_000).toFixed(0)} s)\n`)
  }
