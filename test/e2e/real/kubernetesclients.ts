/** What clients other than kubectl do with a cluster, whatever is in front of it. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { run } from '../../../src/testing/cluster.ts'
import { clientNode, helm } from '../../../src/testing/clusterclients.ts'

export interface ClientSetting {
  readonly kubeconfig: string
  /** With `KUBECONFIG` among it. */
  readonly env: Readonly<Record<string, string>>
  /** For files of clients. */
  readonly folder: string
}

/** Installs a chart, upgrades it, and takes it away. */
export async function useHelm({ env, folder }: ClientSetting): Promise<void> {
  const program = await helm()
  const chart = `${folder}/chart`
  const helmed = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(program, args, { env, cwd: folder })
    assert.equal(code, 0, `helm ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  await helmed('create', chart)
  const values = ['--set', 'serviceAccount.create=false', '--wait', '--timeout', '60s']
  assert.match(await helmed('install', 'web', chart, ...values), /STATUS: deployed\nREVISION: 1/u)
  assert.match(await helmed('upgrade', 'web', chart, ...values, '--set', 'replicaCount=2'), /REVISION: 2/u)
  assert.match(await helmed('list'), /^web\s+default\s+2\s+\S+ \S+ \S+ \S+\s+deployed/mu)
  assert.match(await helmed('uninstall', 'web', '--wait'), /uninstalled/u)
}

/** Lists nodes, and runs a command in a container of namespace `default` that is there. */
export async function useJavaScript({ kubeconfig }: ClientSetting, pod: string): Promise<void> {
  const { KubeConfig, CoreV1Api, Exec } = (await import(await clientNode())) as ClientNode
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const { items } = await config.makeApiClient(CoreV1Api).listNode()
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ['standin'],
  )
  const out = new PassThrough().setEncoding('utf8')
  const errs = new PassThrough().setEncoding('utf8')
  const status = await new Promise<ExecStatus>((resolve, reject) => {
    const command = ['sh', '-c', 'echo out; echo err >&2; exit 5']
    new Exec(config).exec('default', pod, pod, command, out, errs, null, false, resolve).catch(reject)
  })
  assert.equal(status.reason, 'NonZeroExitCode')
  assert.equal(status.details?.causes?.[0]?.message, '5')
  assert.deepEqual([out.read(), errs.read()], ['out\n', 'err\n'])
}

/** What is asked here of `@kubernetes/client-node`, which is no dependency of ours. */
interface ClientNode {
  readonly KubeConfig: new () => {
    loadFromFile(path: string): void
    makeApiClient<T>(kind: new (...args: never) => T): T
  }
  readonly CoreV1Api: new (...args: never) => { listNode(): Promise<{ items: readonly { metadata: { name: string } }[] }> }
  readonly Exec: new (config: unknown) => {
    exec(
      ...args: readonly [
        ...[namespace: string, pod: string, container: string, command: readonly string[], out: PassThrough, errs: PassThrough],
        ...[input: null, tty: boolean, done: (status: ExecStatus) => void],
      ]
    ): Promise<unknown>
  }
}

interface ExecStatus {
  readonly reason?: string
  readonly details?: { readonly causes?: readonly { readonly message: string }[] }
}
