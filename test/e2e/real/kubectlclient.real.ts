/** Real kubectls with contexts of `ostiary kubeconfig`, against a server with TLS that looks at the bearer of each request. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createPlain } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startStandIn, type StandIn } from '../../../src/cli/kubernetes/testing.ts'
import { haveCluster, kubebed } from '../../../src/testing/clusterbinary.ts'
import { clientNode, helm } from '../../../src/testing/clusterclients.ts'
import { certifiedBy, testAuthority } from '../../../src/testing/pki.ts'
import { ROOT, type Ran } from './demo.ts'

/** What is used of `@kubernetes/client-node`. */
interface ClientConfig {
  loadFromFile(file: string): void
  setCurrentContext(name: string): void
  getCurrentUser(): { readonly exec?: { readonly command: string; readonly args: readonly string[] } } | null
  applyToHTTPSOptions(options: { readonly headers: Record<string, string> }): Promise<void>
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const AKS = '6dae42f8-4368-4678-94ff-3960e28e3630'
const FOREIGN = `# of the platform team
apiVersion: v1
kind: Config
clusters:
- name: kind
  cluster: {server: "https://127.0.0.1:1", insecure-skip-tls-verify: yes} # local
contexts:
- name: kind
  context: {cluster: kind, user: kind, namespace: "on"}
users:
- name: kind
  user: {token: "1e3"}
current-context: kind
`

/** That of this machine, and that of the test bed, which is newer. */
const onPath = spawnSync('kubectl', ['version', '--client']).error === undefined
const own = haveCluster()
const CLIENTS = [
  { name: 'the kubectl of this machine', skip: onPath ? false : 'there is none on the PATH', find: () => Promise.resolve(['kubectl']) },
  { name: 'the kubectl of the test bed', skip: own === true ? false : own, find: async () => [await kubebed(), 'kubectl'] },
]

for (const { name, skip, find } of CLIENTS)
  describe(name, { skip }, () => {
    let command: readonly string[]
    let folder: string
    let standIn: StandIn
    let door: Server
    let server: string
    let seen: { readonly url: string; readonly bearer: string }[] = []
    /** Bearers that the door takes for no good. */
    const revoked = new Set<string>()

    before(async () => {
      command = await find()
      folder = mkdtempSync(join(tmpdir(), 'ostiary-kubectl-'))
      standIn = await startStandIn()
      const authority = await testAuthority('CN=test')
      const leaf = await certifiedBy(authority, { names: [{ type: 'dns', value: 'door.test' }], usages: [SERVER_AUTH] })
      door = createServer({ cert: leaf.cert, key: leaf.key }, (request, response) => {
        const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '')
        seen.push({ url: request.url!, bearer })
        response.setHeader('content-type', 'application/json')
        if (!/^\S+-\d+$/.test(bearer) || revoked.has(bearer)) {
          const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Unauthorized', message: 'Unauthorized', code: 401 }
          return response.writeHead(401).end(JSON.stringify(status))
        }
        return response.end(JSON.stringify({ major: '1', minor: '36', gitVersion: 'v1.36.3' }))
      })
      await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
      server = `https://127.0.0.1:${(door.address() as AddressInfo).port}`
      const listed = (name: string, more: object): object => ({
        name,
        server: `${server}/clusters/${name}`,
        ca: authority.cert,
        tlsServerName: 'door.test',
        ...more,
      })
      standIn.clusters = [
        listed('shop', { mode: 'impersonate', namespace: 'team-a' }),
        listed('bank', { mode: 'on-behalf-of', audience: 'bank' }),
        listed('aks', { mode: 'pass-through', audience: AKS }),
      ]
    })
    after(async () => {
      await standIn.close()
      await new Promise((resolve) => {
        door.close(resolve)
        door.closeAllConnections()
      })
      rmSync(folder, { recursive: true, force: true })
    })
    beforeEach(() => {
      seen = []
    })

    const file = (): string => join(folder, 'config')
    const logins = (): string => join(folder, 'ostiary/credentials.json')

    /** On a machine where `ostiary` is somewhere else than on the PATH, with a folder of its own as home. */
    function run(command: string, args: readonly string[], more: Record<string, string> = {}): Promise<Ran> {
      return new Promise((resolve, reject) => {
        const env = {
          PATH: process.env['PATH'],
          HOME: folder,
          XDG_CONFIG_HOME: folder,
          OSTIARY_KEYRING: 'none',
          KUBECONFIG: file(),
          ...more,
        }
        const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
        let stdout = ''
        let stderr = ''
        child.once('error', reject)
        child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
        child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
        child.once('close', (status) => resolve({ status, stdout, stderr }))
      })
    }
    const kubectlWith = (args: readonly string[], env: Record<string, string>): Promise<Ran> =>
      run(command[0]!, [...command.slice(1), ...args], env)
    const kubectl = (...args: readonly string[]): Promise<Ran> => kubectlWith(args, {})
    const ostiary = (...args: readonly string[]): Promise<Ran> =>
      run('node', [join(ROOT, 'bin/ostiary.js'), ...args, '--admin', standIn.url])

    async function done(ran: Promise<Ran>): Promise<string> {
      const { status, stdout, stderr } = await ran
      assert.equal(status, 0, stderr)
      return stdout
    }

    const signIn = (expires: number): void => {
      const refresh = { token: standIn.refresh(), issuer: 'entra' }
      writeFileSync(logins(), JSON.stringify({ [standIn.url]: { token: 'gateway-0', expires, refresh } }), { mode: 0o600 })
    }

    test('reads contexts beside those of others, and keeps our mark when it writes itself', async () => {
      writeFileSync(file(), FOREIGN)
      mkdirSync(join(folder, 'ostiary'), { recursive: true })
      signIn(Date.now() + 3_600_000)
      await done(ostiary('kubeconfig'))
      assert.equal(await done(kubectl('config', 'get-contexts', '-o', 'name')), 'aks\nbank\nkind\nshop\n')
      assert.equal(await done(kubectl('config', 'current-context')), 'kind\n')
      const view = JSON.parse(await done(kubectl('config', 'view', '--raw', '-o', 'json'))) as {
        readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, unknown>> }[]
        readonly contexts: readonly { readonly name: string; readonly context: Readonly<Record<string, unknown>> }[]
        readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, unknown>> }[]
      }
      assert.deepEqual(view.clusters.find(({ name }) => name === 'kind')!.cluster, {
        server: 'https://127.0.0.1:1',
        'insecure-skip-tls-verify': true,
      })
      assert.deepEqual(view.contexts.find(({ name }) => name === 'kind')!.context, { cluster: 'kind', user: 'kind', namespace: 'on' })
      assert.deepEqual(view.users.find(({ name }) => name === 'kind')!.user, { token: '1e3' })
      assert.equal(view.users.length, 3, 'clusters of the gateway’s own audience share one')
      assert.doesNotMatch(readFileSync(file(), 'utf8'), /gateway-0|refresh-/)
      // It writes the file anew, in its own order, and ours are found again.
      await done(kubectl('config', 'use-context', 'shop'))
      await done(kubectl('config', 'set-context', 'other', '--cluster=kind'))
      assert.match(await done(ostiary('kubeconfig')), /^already in /)
      assert.equal(statSync(file()).mode & 0o777, 0o600)
      assert.equal(await done(kubectl('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')), 'team-a')
    })

    test('sends the token over TLS, and each cluster gets its own', async () => {
      for (const [context, bearer] of [
        ['shop', 'gateway-0'],
        ['bank', 'gateway-0'],
        ['aks', `${AKS}/.default-1`],
      ] as const) {
        seen = []
        assert.match(await done(kubectl('--context', context, 'version')), /Server Version: v1\.36\.3/)
        assert.notEqual(seen.length, 0)
        for (const one of seen) {
          assert.equal(one.bearer, bearer)
          assert.match(one.url, new RegExp(`^/clusters/${context}/version`))
        }
      }
      assert.deepEqual(standIn.redeemed, [`${AKS}/.default offline_access`])
    })

    test('sends what is asked for --raw below the path of the server, from some version after 1.32 on', async () => {
      const { clientVersion } = JSON.parse(await done(kubectl('version', '--client', '-o', 'json'))) as {
        readonly clientVersion: { readonly minor: string }
      }
      await done(kubectl('get', '--raw', '/version'))
      const { url, bearer } = seen.at(-1)!
      assert.equal(bearer, 'gateway-0')
      if (Number.parseInt(clientVersion.minor, 10) >= 36) assert.equal(url, '/clusters/shop/version')
      else assert.match(url, /^(\/clusters\/shop)?\/version$/)
    })

    test('is not the only one that asks: Helm and @kubernetes/client-node do', { skip: own === true ? false : own }, async () => {
      await run(await helm(), ['--kube-context', 'shop', 'list'])
      assert.notEqual(seen.length, 0)
      const { KubeConfig } = (await import(await clientNode())) as { readonly KubeConfig: new () => ClientConfig }
      const config = new KubeConfig()
      config.loadFromFile(file())
      config.setCurrentContext('bank')
      const asked = { headers: {} as Record<string, string> }
      const { command: node, args } = config.getCurrentUser()!.exec!
      assert.deepEqual([node, args.slice(1)], [process.execPath, ['kube-token', '--admin', standIn.url]])
      const had = process.env['XDG_CONFIG_HOME']
      process.env['XDG_CONFIG_HOME'] = folder
      await config.applyToHTTPSOptions(asked).finally(() => {
        if (had === undefined) delete process.env['XDG_CONFIG_HOME']
        else process.env['XDG_CONFIG_HOME'] = had
      })
      assert.equal(asked.headers['Authorization'], 'Bearer gateway-0')
      assert.ok(seen.every(({ url, bearer }) => url.startsWith('/clusters/shop/') && bearer === 'gateway-0'))
    })

    test('switches namespaces with no new credentials', async () => {
      const before = [readFileSync(logins(), 'utf8'), standIn.redeemed.length]
      await done(kubectl('config', 'set-context', '--current', '--namespace', 'team-b'))
      await kubectl('get', 'pods', '--request-timeout=5s')
      assert.match(await done(ostiary('kubeconfig')), /^already in /)
      assert.equal(await done(kubectl('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')), 'team-b', 'and it stays')
      assert.ok(seen.length > 0 && seen.every(({ bearer }) => bearer === 'gateway-0'))
      assert.deepEqual([readFileSync(logins(), 'utf8'), standIn.redeemed.length], before)
    })

    test('gets a new token when the old one ends, once for many at the same time', async () => {
      signIn(Date.now() + 10_000)
      standIn.redeemed.length = 0
      standIn.delay = 300
      const all = await Promise.all(Array.from({ length: 4 }, () => kubectl('get', '--raw', '/version')))
      standIn.delay = 0
      for (const { status, stderr } of all) assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
      assert.equal(standIn.redeemed.length, 1)
      assert.equal(new Set(seen.map(({ bearer }) => bearer)).size, 1)
    })

    test('shows our line where nobody is signed in, and asks nobody without a terminal', async () => {
      assert.match(await done(ostiary('logout')), /^signed out/)
      const { status, stdout, stderr } = await kubectl('get', '--raw', '/version')
      assert.deepEqual({ status, stdout }, { status: 1, stdout: '' })
      assert.match(
        stderr,
        new RegExp(`^ostiary: nobody is signed in to the gateway at ${standIn.url}: run \`ostiary login --admin ${standIn.url}\`$`, 'm'),
      )
      assert.deepEqual(seen, [])
    })

    test('shows what the door says to a token that is good no more', async () => {
      signIn(Date.now() + 3_600_000)
      revoked.add('gateway-0')
      const { status, stderr } = await kubectl('get', '--raw', '/version')
      revoked.delete('gateway-0')
      assert.equal(status, 1)
      assert.match(stderr, /You must be logged in to the server|Unauthorized/)
      assert.doesNotMatch(stderr, /gateway-0/)
    })

    test('never sends a token to a server without TLS', async () => {
      const heard: (string | undefined)[] = []
      const plain = createPlain((request, response) => {
        heard.push(request.headers.authorization)
        response.end('{}')
      })
      await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
      const at = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`
      const KUBECONFIG = join(folder, 'plain')
      writeFileSync(
        KUBECONFIG,
        readFileSync(file(), 'utf8')
          .replaceAll(server, at)
          .replaceAll(/ +(certificate-authority-data|tls-server-name):.*\n/g, ''),
      )
      await kubectlWith(['--context', 'shop', 'version'], { KUBECONFIG })
      await new Promise((resolve) => plain.close(resolve))
      assert.notEqual(heard.length, 0)
      assert.deepEqual(new Set(heard), new Set([undefined]))
      assert.deepEqual(seen, [])
    })

    test('finds nothing of ours after it was removed, and all of others', async () => {
      const KUBECONFIG = [join(folder, 'first'), file()].join(delimiter)
      const removed = await run('node', [join(ROOT, 'bin/ostiary.js'), 'kubeconfig', '--remove', '--admin', standIn.url], { KUBECONFIG })
      assert.equal(removed.stdout, `removed from ${file()}: aks, bank, shop\n`)
      assert.equal(await done(kubectl('config', 'get-contexts', '-o', 'name')), 'kind\nother\n')
      assert.equal((await kubectl('config', 'current-context')).status, 1)
      assert.doesNotMatch(readFileSync(file(), 'utf8'), /ostiary/)
    })

    test('works with a kubeconfig that was printed', async () => {
      const printed = join(folder, 'printed')
      writeFileSync(printed, await done(ostiary('kubeconfig', 'shop', '--print', '--namespace', 'ci')))
      const { status, stdout, stderr } = await kubectlWith(['get', '--raw', '/version'], { KUBECONFIG: printed })
      assert.equal(status, 0, stderr)
      assert.match(stdout, /v1\.36\.3/)
    })
  })

test('a token that a desktop’s keyring keeps is answered without asking anybody', () => {
  const home = mkdtempSync(join(tmpdir(), 'ostiary-keyring-'))
  const unlock = 'printf keyring | gnome-keyring-daemon --unlock --components=secrets >/dev/null'
  const folders = [`HOME=${home}`, `XDG_CONFIG_HOME=${home}/config`, `XDG_DATA_HOME=${home}/data`, `XDG_RUNTIME_DIR=${home}`]
  const script = [process.execPath, join(import.meta.dirname, 'kubekeyring.ts')]
  const session = ['dbus-run-session', '--', 'sh', '-c', `${unlock}; exec "$0" "$1"`, ...script]
  const { status, stdout, stderr } = spawnSync('env', [...folders, ...session], { encoding: 'utf8', timeout: 60_000 })
  rmSync(home, { recursive: true, force: true })
  assert.equal(status, 0, stderr)
  const { where, token, scoped, file } = JSON.parse(stdout) as Record<string, string>
  assert.deepEqual({ where, token, scoped }, { where: 'the keyring', token: 'kept-secret', scoped: 'scoped-secret' })
  assert.doesNotMatch(file!, /secret/)
})
