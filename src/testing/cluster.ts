/** A real Kubernetes API server on loopback for the suites that need one, with etcd, and by option controllers and a stand-in kubelet. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubebed } from './clusterbinary.ts'
import { egressOf, kubeconfigOf, tokenFile, writePki, type ClusterPki, type ClusterUser } from './clusterfiles.ts'
import { apiServerFlags, controllerFlags, etcdFlags, flagsOf, standInFlags, type Flags } from './clusterflags.ts'
import { eventually } from './envoy.ts'

export { haveCluster } from './clusterbinary.ts'
export { kubeconfigOf, type ClusterUser } from './clusterfiles.ts'

const READY_MS = 90_000
const KUBECTL_MS = 60_000

export interface ClusterOptions {
  /** Callers with static tokens besides the administrator. */
  readonly users?: readonly ClusterUser[]
  /** An `AuthenticationConfiguration`; service accounts and static tokens hold besides. */
  readonly authentication?: object
  /** An `AuthorizationConfiguration` in place of `Node,RBAC`; `{folder}` in it is the cluster's folder. */
  readonly authorization?: object
  readonly audit?: {
    readonly policy: object
    /** A kubeconfig that says where the audit webhook is; events are sent in small batches. */
    readonly webhook?: object
    /** Also to a file, `Cluster.auditLog`. */
    readonly log?: boolean
  }
  /**
   * The controllers of deployments, service accounts, namespaces and their like. Without them pods need no service account, and the cluster
   * roles `view`, `edit` and `admin`, which a controller puts together, are empty.
   */
  readonly controllers?: boolean
  /** A node on which pods run as processes of this machine; they are bound to it at once. */
  readonly kubelet?: boolean
  /** More options of the API server; `{folder}` is the cluster's folder. */
  readonly flags?: readonly string[]
  /** Files of the cluster's folder, by name, that `authorization` or `flags` speak of; as `kubeconfigOf` makes them for webhooks. */
  readonly files?: Readonly<Record<string, object>>
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly kubeconfig?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeout?: number
}

export interface Cluster {
  /** `https://127.0.0.1:<port>`. */
  readonly server: string
  /** PEM of the authority of `server`. */
  readonly ca: string
  readonly adminToken: string
  /** The administrator's. */
  readonly adminKubeconfig: string
  /** Removed at the end. */
  readonly folder: string
  readonly auditLog: string
  readonly pki: ClusterPki
  /** Path of the binary, whose `kubectl` is of the same version. */
  readonly binary: string
  /** Writes a kubeconfig; `user` is what it has in `users[].user`. Returns its path. */
  kubeconfig(name: string, user: Readonly<Record<string, unknown>>, at?: { readonly server?: string; readonly ca?: string }): string
  /** Runs kubectl to its end; as the administrator, unless told otherwise. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<Ran>
  /** What kubectl is run with: nothing of the home of whoever runs the tests. */
  environment(more?: Readonly<Record<string, string>>): Record<string, string>
  /** What the parts have said, for messages of failed tests. */
  output(): string
  stop(): Promise<void>
}

/** Starts one in a few seconds, once its binary was built. Whatever fails, nothing is left running. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new RealCluster(await kubebed())
  try {
    await cluster.start(options)
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

class RealCluster implements Cluster {
  readonly binary: string
  readonly folder = mkdtempSync(join(tmpdir(), 'ostiary-cluster-'))
  readonly adminToken = randomBytes(24).toString('hex')
  readonly auditLog = join(this.folder, 'audit.log')
  readonly #parts: ChildProcess[] = []
  #said = ''
  #pki: ClusterPki | undefined
  server = ''
  adminKubeconfig = ''

  constructor(binary: string) {
    this.binary = binary
  }

  get pki(): ClusterPki {
    return this.#pki!
  }

  get ca(): string {
    return this.pki.authority.cert
  }

  output(): string {
    return this.#said.slice(-8_000)
  }

  async start(options: ClusterOptions): Promise<void> {
    const [client = 0, peer = 0, port = 0] = await freePorts(3)
    this.#pki = await writePki(this.folder)
    this.server = `https://127.0.0.1:${port}`
    for (const name of ['home', 'pods', 'etcd']) mkdirSync(join(this.folder, name), { mode: 0o700 })
    this.adminKubeconfig = this.kubeconfig('admin', { token: this.adminToken })
    const admin: ClusterUser = { name: 'admin', token: this.adminToken, groups: ['system:masters'] }
    this.#write('tokens.csv', tokenFile([admin, ...(options.users ?? [])]))
    this.#write('egress.json', egressOf(this.#file('tunnel')))
    for (const [name, value] of Object.entries(options.files ?? {})) this.#write(name, JSON.stringify(value))

    const etcd = `http://127.0.0.1:${client}`
    this.#run('etcd', etcdFlags(this.folder, etcd, `http://127.0.0.1:${peer}`))
    this.#run('kube-apiserver', { ...apiServerFlags(this.folder, etcd, port), ...this.#configured(options) }, options.flags)
    await eventually('the API server is ready', () => this.#isReady(), READY_MS)
    if (options.controllers === true) this.#run('kube-controller-manager', controllerFlags(this.folder, this.adminKubeconfig))
    if (options.kubelet === true) this.#run('kubelet-standin', standInFlags(this.folder, this.adminKubeconfig))
    await this.#settled(options)
  }

  #configured({ authentication, authorization, audit, controllers }: ClusterOptions): Flags {
    const flags: Record<string, string> = {}
    const file = (flag: string, value: object | undefined): void => {
      if (value !== undefined) flags[flag] = this.#write(`${flag}.json`, JSON.stringify(value).replaceAll('{folder}', this.folder))
    }
    file('authentication-config', authentication)
    file('authorization-config', authorization)
    file('audit-policy-file', audit?.policy)
    file('audit-webhook-config-file', audit?.webhook)
    if (authorization === undefined) flags['authorization-mode'] = 'Node,RBAC'
    if (audit?.webhook !== undefined) flags['audit-webhook-batch-max-wait'] = '200ms'
    if (audit?.log === true) flags['audit-log-path'] = this.auditLog
    // Nobody would make the service account of a namespace, for which pods wait.
    if (controllers !== true) flags['disable-admission-plugins'] = 'ServiceAccount'
    return flags
  }

  #isReady(): Promise<true | undefined> {
    for (const { exitCode, signalCode, spawnargs } of this.#parts)
      if (exitCode !== null || signalCode !== null)
        throw new Error(`${spawnargs[1]} ended with ${exitCode ?? signalCode}: ${this.output()}`)
    return new Promise((resolve) => {
      const asked = request(
        `${this.server}/readyz`,
        { ca: this.ca, headers: { authorization: `Bearer ${this.adminToken}` }, timeout: 2_000, agent: false },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode === 200 ? true : undefined)
        },
      )
      asked.on('timeout', () => asked.destroy())
      asked.on('error', () => resolve(undefined))
      asked.end()
    })
  }

  /** Until what the options ask for can be seen from outside. */
  async #settled({ controllers, kubelet }: ClusterOptions): Promise<void> {
    const sees = async (what: string, args: readonly string[], text: string): Promise<void> => {
      await eventually(what, async () => {
        await this.#isReady()
        return (await this.kubectl(args)).stdout.includes(text) || undefined
      })
    }
    const ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    if (kubelet === true) await sees('the node is ready', ['get', 'nodes', '-o', ready], 'True')
    if (controllers === true) await sees('the controllers work', ['get', 'serviceaccounts', '-o', 'name'], 'serviceaccount/default')
  }

  #file(name: string): string {
    return join(this.folder, name)
  }

  #write(name: string, text: string): string {
    writeFileSync(this.#file(name), text, { mode: 0o600 })
    return this.#file(name)
  }

  /** Each part has a process group of its own, and ends by itself when this process is gone. */
  #run(part: string, flags: Flags, more: readonly string[] = []): void {
    const child = spawn(this.binary, [part, ...flagsOf(flags), ...more.map((flag) => flag.replaceAll('{folder}', this.folder))], {
      cwd: this.folder,
      detached: true,
      env: this.environment({ KUBEBED_LEASH: '1' }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // A part that can't be started, or ended before its leash: what waits for it says so.
    child.on('error', (error) => (this.#said += `${part}: ${error.message}\n`))
    child.stdin.on('error', () => undefined)
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-64_000)))
    this.#parts.push(child)
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const home = this.#file('home')
    return { PATH: process.env['PATH'] ?? '', HOME: home, KUBECACHEDIR: join(home, 'cache'), KUBECONFIG: this.adminKubeconfig, ...more }
  }

  kubeconfig(name: string, user: Readonly<Record<string, unknown>>, { server = this.server, ca = this.ca } = {}): string {
    return this.#write(`${name}.kubeconfig`, JSON.stringify(kubeconfigOf(server, ca, user), null, 2))
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const { kubeconfig = this.adminKubeconfig, env = {} } = options
    return run(this.binary, ['kubectl', ...args], {
      ...options,
      env: this.environment({ KUBECONFIG: kubeconfig, ...env }),
      cwd: this.folder,
    })
  }

  async stop(): Promise<void> {
    // What runs pods first, and with time to end them; etcd has nothing that must be kept.
    for (const child of this.#parts.splice(0).toReversed()) await end(child)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const isStandIn = child.spawnargs[1] === 'kubelet-standin'
  if (isStandIn) child.kill('SIGTERM')
  const hard = setTimeout(() => killGroup(child.pid!), isStandIn ? 3_000 : 0)
  await ended
  clearTimeout(hard)
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It ended by itself a moment ago.
  }
}

/**
 * Ports of loopback that nobody has, for programs that can't be asked which they were given. They are taken some time later, so that they
 * are none of those that connections and `port 0` get.
 */
async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    ports.add(port)
  }
  return [...ports]
}

/** Runs a program to its end with an input. */
export function run(
  program: string,
  args: readonly string[],
  { input = '', env, cwd, timeout = KUBECTL_MS }: RunOptions & { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, timeout, killSignal: 'SIGKILL', stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === null) reject(new Error(`${program} ${args.join(' ')} ended with ${signal}: ${stdout.slice(-500)} ${stderr.slice(-500)}`))
      else resolve({ code, stdout, stderr })
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
