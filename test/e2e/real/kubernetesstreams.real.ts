/**
 * What the decoder of sessions says of what kubectl, a real API server and a kubelet's own streaming code send one another, over both
 * protocols; and what kubectl says when a session is ended in the gateway's words. Not part of `npm test`: it needs the test bed's binary.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { told } from '../../../src/kubernetes/streams/testing.ts'
import { haveCluster, startCluster, type Cluster, type Ran } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { startTapProxy, type TapProxy } from './kubernetestap.ts'

const have = haveCluster()
const CLOSING = { reason: 'Forbidden', message: 'access has ended: the token expired', code: 403 }
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: {
    automountServiceAccountToken: false,
    containers: [
      { name: 'c', image: 'none', stdin: true, command: ['sh', '-c', 'while read line; do echo "said $line"; done; sleep 600'] },
    ],
  },
}

/** How kubectl is made to speak each. */
const PROTOCOLS: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['WebSocket', {}, 'websocket'],
  ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }, 'spdy'],
]

describe('sessions of a real kubectl', { skip: have === true ? false : have }, () => {
  let cluster: Cluster
  let proxy: TapProxy
  let kubeconfig: string

  before(async () => {
    cluster = await startCluster({ kubelet: true })
    proxy = await startTapProxy(cluster)
    kubeconfig = cluster.kubeconfig('tapped', {}, { server: proxy.url })
    assert.equal((await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(POD) })).code, 0)
    await eventually(
      'the pod runs',
      async () => (await cluster.kubectl(['get', 'pod', 'p', '-o', 'jsonpath={.status.phase}'])).stdout === 'Running' || undefined,
    )
  })
  after(async () => {
    await proxy?.stop()
    await cluster?.stop()
  })

  for (const [name, env, carrier] of PROTOCOLS)
    describe(name, () => {
      const kubectl = (args: readonly string[], input?: string): Promise<Ran> =>
        cluster.kubectl(args, { kubeconfig, env, ...(input === undefined ? {} : { input }) })

      /** What was told of the one session since the last look. */
      function heard(): readonly string[] {
        const taps = proxy.take()
        assert.equal(taps.length, 1)
        assert.equal(taps[0]!.protocol.carrier, carrier)
        return told(taps[0]!.events)
      }

      test('both outputs and the exit code', async () => {
        assert.equal((await kubectl(['exec', 'p', '--', 'sh', '-c', 'echo out; sleep 0.3; echo err >&2; exit 7'])).code, 7)
        const [out, error, exit] = heard()
        assert.deepEqual([out, error], ['output out\n', 'error-output err\n'])
        assert.match(exit!, /^exit 7 command terminated/u)
      })

      test('input to its end', async () => {
        assert.equal((await kubectl(['exec', '-i', 'p', '--', 'wc', '-c'], 'y'.repeat(1_000_000))).stdout.trim(), '1000000')
        const lines = heard()
        assert.deepEqual(
          lines.map((line) => line.split(' ', 1)[0]!),
          ['input', 'input-ended', 'output', 'exit'],
        )
        assert.equal(lines[0]!.length, 'input '.length + 1_000_000)
        assert.equal(lines[3], 'exit 0 undefined')
      })

      test('a megabyte of output', async () => {
        await kubectl(['exec', 'p', '--', 'sh', '-c', 'head -c 1000000 /dev/zero'])
        assert.deepEqual(
          heard().map((line) => line.length),
          ['output '.length + 1_000_000, 'exit 0 undefined'.length],
        )
      })

      test('what the server says where there is no such command', async () => {
        await kubectl(['exec', 'p', '--', 'no-such-program'])
        assert.match(heard()[0]!, /^exit undefined .*executable file not found/u)
      })

      test('one that is attached, and ended in the words of the gateway', async () => {
        const child = spawn(cluster.binary, ['kubectl', 'attach', '-i', 'p'], {
          env: cluster.environment({ ...env, KUBECONFIG: kubeconfig }),
        })
        let [out, error] = ['', '']
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
        child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()))
        child.stdin.write(`${name}\n`)
        await eventually('it answers', () => out.includes(`said ${name}`) || undefined)
        const [tap, ...more] = proxy.take()
        assert.deepEqual(more, [])
        tap!.close(CLOSING)
        const [code] = (await once(child, 'close')) as [number]
        assert.equal(code, 1, error)
        assert.match(error, /^error: access has ended: the token expired$/mu)
        assert.deepEqual(told(tap!.events).slice(0, 2), [`input ${name}\n`, `output said ${name}\n`])
      })

      test('connections to ports', async () => {
        const child = spawn(cluster.binary, ['kubectl', 'port-forward', 'pod/p', ':9'], {
          env: cluster.environment({ ...env, KUBECONFIG: kubeconfig }),
        })
        let said = ''
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
        const port = await eventually('it listens', () => /127\.0\.0\.1:(\d+) ->/u.exec(said)?.[1])
        const socket = connect(Number(port), '127.0.0.1')
        socket.on('error', () => undefined)
        socket.end('hello')
        await once(socket, 'close')
        const [tap] = proxy.take()
        await eventually('the connection is over', () => tap!.events.some(({ kind }) => kind === 'port-closed') || undefined)
        const [opened, closed] = told(tap!.events)
        assert.equal(opened, 'port-opened 9 0')
        // Nobody listens there: the server says so on the connection's error stream.
        assert.match(closed!, /^port-closed 9 0 \d+ 0 .*refused/u)
        tap!.close(CLOSING)
        assert.deepEqual((await once(child, 'close')) as unknown[], [1, null], said)
      })
    })
})
