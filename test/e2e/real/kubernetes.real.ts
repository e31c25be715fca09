/**
 * The test bed's cluster by itself: what suites of the door and of targets compare with has to be right without either. A real API server,
 * etcd and controllers, kubectl of the same version, and a stand-in kubelet that serves streams with the kubelet's own code; Helm and the
 * JavaScript client besides. Not part of `npm test`: it needs the binary, which is built with Go; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { haveCluster, run, startCluster, type Cluster, type Ran } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { startMetrics } from './kubernetesaggregated.ts'
import { useHelm, useJavaScript, type ClientSetting } from './kubernetesclients.ts'
import { runScript, type Outcome } from './kubernetesrun.ts'
import { script } from './kubernetesscript.ts'

const have = haveCluster()
/** Two hundred commands; and clients that may have to be built first. */
const SLOW_MS = 20 * 60_000

/** What the script does that has to fail, by how it ends and what it says. */
const FAILING: Readonly<Record<string, readonly [number, RegExp]>> = {
  'kubectl create configmap words --from-literal=a=b': [1, /configmaps "words" already exists/u],
  'kubectl diff -f -': [1, /^\+ colour: blue$/mu],
  'kubectl apply -f - --server-side --field-manager=second': [1, /conflict with "first": \.data\.colour/u],
  'kubectl get pod absent': [1, /\(NotFound\): pods "absent" not found/u],
  'kubectl get nothings': [1, /doesn't have a resource type "nothings"/u],
  'kubectl logs hello -c main --previous': [1, /previous terminated container "main" in pod "hello" not found/u],
  'kubectl logs hello -c absent': [1, /container absent is not valid for pod hello/u],
  'kubectl exec hello -- sh -c echo out; echo err >&2; exit 3': [3, /^out\n/u],
  'kubectl exec hello -it -- sh -c test -t 0 && test -t 1 && echo a terminal; exit 4': [4, /^a terminal$/mu],
  'kubectl exec hello -- no-such-program': [1, /"no-such-program": executable file not found/u],
  'kubectl top pods': [1, /Metrics API not available/u],
  'kubectl auth can-i delete pods --as=system:serviceaccount:{namespace}:robot': [1, /^no$/mu],
  'kubectl get configmap settings': [1, /configmaps "settings" not found/u],
  'kubectl get pod hello': [1, /pods "hello" not found/u],
}
/** What the streams carry, over either protocol. */
const SAID: Readonly<Record<string, RegExp>> = {
  'kubectl exec hello -i -c main -- cat': /^typed\nby hand\n$/u,
  'kubectl exec hello -it -c main -- stty size': /^40 132\n$/u,
  'kubectl exec hello -c main -- cat note.txt': /^a note\n$/u,
  'kubectl attach hello -i -c main': /(said|again)\n$/u,
  'kubectl logs hello -c main': /^one\ntwo\nsaid\nagain\n$/u,
  'kubectl logs hello -c ticker -f': /^tick\ntick\ntick\n$/u,
  'kubectl port-forward pod/hello :8080': /^upstream says \/over-websockets\n$/u,
  'kubectl port-forward service/hello :80': /^upstream says \/over-spdy\n$/u,
  'kubectl get --raw /api/v1/namespaces/{namespace}/services/hello:http/proxy/by-service': /^upstream says \/by-service\n$/u,
  'what cp brought back': /^a note\n$/u,
}
/** The command without what it was taken over. */
const bare = ({ command }: Outcome): string => command.replace(/^KUBE.*? kubectl /u, 'kubectl ')

describe("the test bed's cluster", { skip: have === true ? false : have }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ controllers: true, kubelet: true, users: [{ name: 'jo', token: 'token-of-jo', groups: ['readers'] }] })
  })
  after(() => cluster?.stop())

  async function did(args: readonly string[], input = ''): Promise<Ran> {
    const ran = await cluster.kubectl(args, { input })
    assert.equal(ran.code, 0, `kubectl ${args.join(' ')}: ${ran.stderr}`)
    return ran
  }

  async function scripted(namespace: string): Promise<readonly Outcome[]> {
    await did(['create', 'namespace', namespace])
    await did(['wait', '--for=create', 'serviceaccount/default', '--namespace', namespace, '--timeout=30s'])
    return runScript({ program: [cluster.binary, 'kubectl'], env: cluster.environment() }, namespace)
  }

  test('the script of kubectl works, and says the same twice in namespaces of other names', { timeout: SLOW_MS }, async () => {
    const first = await scripted('script-a')
    assert.equal(first.length, script.length + 1)
    assert.ok(script.length >= 60, `${script.length} commands`)
    const failing = new Set<string>()
    const streams = new Set<string>()
    for (const outcome of first) {
      const { code, stdout, stderr } = outcome
      const [expected, text] = FAILING[bare(outcome)] ?? [0]
      // The first of two `create` that are the same works.
      if (code === expected && text !== undefined) {
        assert.match(`${stdout}${stderr}`, text, bare(outcome))
        failing.add(bare(outcome))
      } else assert.ok(code === 0 || code === 'interrupted', `${outcome.command} ended with ${code}: ${stderr}`)
      const said = SAID[bare(outcome)]
      if (said !== undefined) {
        assert.match(stdout, said, outcome.command)
        streams.add(bare(outcome))
      }
    }
    assert.deepEqual([...failing].toSorted(), Object.keys(FAILING).toSorted())
    assert.deepEqual([...streams].toSorted(), Object.keys(SAID).toSorted())

    const second = await scripted('script-elsewhere')
    for (const [at, outcome] of first.entries()) assert.deepEqual(second[at], outcome)
  })

  test('the API server authorizes by roles of groups, and says whom it refuses', async () => {
    const kubeconfig = cluster.kubeconfig('jo', { token: 'token-of-jo' })
    const refused = await cluster.kubectl(['get', 'pods'], { kubeconfig })
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /pods is forbidden: User "jo" cannot list resource "pods" in API group "" in the namespace "default"/u)
    await did(['create', 'role', 'readers', '--verb=list', '--resource=pods'])
    await did(['create', 'rolebinding', 'readers', '--role=readers', '--group=readers'])
    await eventually('the binding holds', async () => (await cluster.kubectl(['get', 'pods'], { kubeconfig })).code === 0 || undefined)
    const stranger = await cluster.kubectl(['get', 'pods'], { kubeconfig: cluster.kubeconfig('stranger', { token: 'another' }) })
    assert.match(stranger.stderr, /You must be logged in to the server/u)
  })

  test('a container that ended starts again, and its first log is that of the previous one', async () => {
    await did([
      'run',
      'again',
      '--image=example.test/again:1',
      '--command',
      '--',
      'sh',
      '-c',
      'echo started; [ -e again ] && exec cat; touch again; exit 7',
    ])
    await did(['wait', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1', 'pod/again', '--timeout=30s'])
    await did(['wait', '--for=condition=Ready', 'pod/again', '--timeout=30s'])
    const { stdout } = await did(['get', 'pod', 'again', '-o', 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}'])
    assert.equal(stdout, '7')
    assert.equal((await did(['logs', 'again', '--previous'])).stdout, 'started\n')
  })

  test('containers that were added to a pod run in it', async () => {
    await did(['run', 'plain', '--image=example.test/plain:1'])
    await did(['wait', '--for=condition=Ready', 'pod/plain', '--timeout=30s'])
    await did(['debug', 'plain', '--image=example.test/probe:1', '-c', 'probe', '--attach=false', '--', 'sh', '-c', 'echo probed'])
    await did(['wait', '--for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0', 'pod/plain', '--timeout=30s'])
    assert.equal((await did(['logs', 'plain', '-c', 'probe'])).stdout, 'probed\n')
    assert.equal((await did(['logs', 'plain'])).stdout, 'plain is there\n')
  })

  test('nobody but the API server comes to the kubelet', async () => {
    const { stdout: port } = await did(['get', 'node', 'standin', '-o', 'jsonpath={.status.daemonEndpoints.kubeletEndpoint.Port}'])
    const args = ['--insecure', '--silent', '--show-error', '--max-time', '10', `https://127.0.0.1:${port}/pods`]
    const { code, stderr } = await run('curl', args, { env: { PATH: process.env['PATH'] ?? '' }, cwd: cluster.folder })
    assert.notEqual(code, 0)
    assert.match(stderr, /certificate required/u)
  })

  test('an aggregated API is found, and told who asks', async () => {
    const metrics = await startMetrics(cluster)
    try {
      const { stdout } = await did(['api-resources', '--api-group=metrics.k8s.io', '-o', 'name'])
      assert.equal(stdout, 'pods.metrics.k8s.io\n')
      assert.match((await did(['top', 'pods'])).stdout, /^busy\s+250m\s+64Mi/mu)
      const asked = metrics.asked.find(({ path }) => path.endsWith('/namespaces/default/pods'))
      assert.deepEqual(asked, {
        user: 'admin',
        groups: 'system:masters, system:authenticated',
        path: '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods',
        by: 'aggregator',
      })
    } finally {
      await did(['delete', 'apiservice/v1beta1.metrics.k8s.io', 'service/metrics', 'pod/metrics', '--now'])
      await metrics.stop()
    }
  })

  test('Helm installs, upgrades and removes', { timeout: SLOW_MS }, () => useHelm(setting()))

  test('the JavaScript client lists, and runs commands in containers', { timeout: SLOW_MS }, async () => {
    await did(['run', 'told', '--image=example.test/told:1'])
    await did(['wait', '--for=condition=Ready', 'pod/told', '--timeout=30s'])
    await useJavaScript(setting(), 'told')
  })

  const setting = (): ClientSetting => ({ kubeconfig: cluster.adminKubeconfig, env: cluster.environment(), folder: cluster.folder })
})

describe('what a cluster leaves behind', { skip: have === true ? false : have }, () => {
  const MODULE = fileURLToPath(new URL('../../../src/testing/cluster.ts', import.meta.url))

  test('is nothing, even when whoever started it was killed', async () => {
    const code = `const { startCluster } = await import(${JSON.stringify(MODULE)})
      const cluster = await startCluster({ kubelet: true })
      const made = await cluster.kubectl(['run', 'here', '--image=example.test/here:1', '--command', '--', 'sleep', '3456'])
      await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/here', '--timeout=30s'])
      console.log(cluster.folder)
      setInterval(() => {}, 1_000)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    let folder = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (folder += text))
    const ended = once(child, 'exit')
    try {
      await eventually('the cluster of the other process is there', () => folder.includes('\n') || undefined, 90_000)
      assert.ok(processesIn(folder.trim()).length >= 4, 'etcd, the API server, the kubelet and a container')
    } finally {
      child.kill('SIGKILL')
      await ended
    }
    await eventually('all of it has ended', () => processesIn(folder.trim()).length === 0 || undefined)
    // Nobody was left to remove it.
    rmSync(folder.trim(), { recursive: true, force: true })
  })
})

/** Processes that are in a folder or below. */
function processesIn(folder: string): readonly string[] {
  const read = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc').filter((pid) => /^\d+$/u.test(pid) && read(pid).includes(`=${folder}/`))
}
