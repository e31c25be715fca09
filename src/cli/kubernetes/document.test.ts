import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Document, parse, parseDocument, stringify } from 'yaml'
import type { ListedCluster } from '../../kubernetes/directory.ts'
import { runs } from '../../testing/runs.ts'
import { character } from '../../testing/text.ts'
import { Kubeconfig } from './document.ts'
import { entriesOf } from './entries.ts'
import { MARK } from './nodes.ts'

const url = 'https://gateway.example'
const options = { url, prefix: '', command: ['ostiary'] as const }
const shop: ListedCluster = { name: 'shop', server: 'https://door.example/clusters/shop', mode: 'impersonate', namespace: 'team' }
const aks: ListedCluster = { name: 'aks', server: 'https://door.example/clusters/aks', mode: 'pass-through', audience: 'a-u-d' }
const none = { namespace: undefined }

function read(text: string): Kubeconfig {
  const kubeconfig = Kubeconfig.read(text)
  assert.ok(kubeconfig instanceof Kubeconfig, 'problem' in kubeconfig ? kubeconfig.problem : '')
  return kubeconfig
}

/** All texts of it, whatever they are taken for. */
function heldBy(text: string): string {
  return JSON.stringify(parseDocument(text, { schema: 'failsafe', customTags: ['null'], logLevel: 'silent' }))
}

function put(kubeconfig: Kubeconfig, ...clusters: readonly ListedCluster[]): Kubeconfig {
  for (const one of clusters) kubeconfig.put(entriesOf(one, options), url, none)
  return kubeconfig
}

describe('a kubeconfig', () => {
  test('that is empty gets entries without a secret', () => {
    const mark = [{ name: MARK, extension: { gateway: url } }]
    const exec = (...args: readonly string[]): object => ({
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'ostiary',
      args,
      interactiveMode: 'IfAvailable',
      provideClusterInfo: true,
      installHint: `install Ostiary (npm install --global ostiary), then run: ostiary login --admin ${url}`,
    })
    const ca = '-----BEGIN CERTIFICATE-----\nQUE=\n-----END CERTIFICATE-----\n'
    assert.deepEqual(parse(put(read(''), { ...shop, ca, tlsServerName: 'door' }, aks).toString()), {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'shop',
          cluster: {
            server: shop.server,
            'certificate-authority-data': Buffer.from(ca).toString('base64'),
            'tls-server-name': 'door',
            extensions: mark,
          },
        },
        { name: 'aks', cluster: { server: aks.server, extensions: mark } },
      ],
      contexts: [
        { name: 'shop', context: { cluster: 'shop', user: `ostiary:${url}`, namespace: 'team', extensions: mark } },
        { name: 'aks', context: { cluster: 'aks', user: `ostiary:${url}#a-u-d`, extensions: mark } },
      ],
      users: [
        { name: `ostiary:${url}`, user: { exec: exec('kube-token', '--admin', url), extensions: mark } },
        {
          name: `ostiary:${url}#a-u-d`,
          user: { exec: exec('kube-token', '--admin', url, '--scope', 'a-u-d/.default'), extensions: mark },
        },
      ],
    })
  })

  const foreign = `# of the platform team
apiVersion: v1
kind: Config
preferences: {}

# on this machine
clusters:
- name: kind # local
  cluster:
    server: https://127.0.0.1:6443
    insecure-skip-tls-verify: yes
contexts:
- {name: kind, context: {cluster: kind, user: &who kind, namespace: 0777}}
current-context: kind
users:
- name: *who
  user:
    # from the wizard
    token: 1e3
`
  test('keeps what others wrote, with order and comments, and can be as it was', () => {
    const with2 = put(read(foreign), shop, aks).toString()
    for (const line of [
      '# of the platform team',
      '# on this machine',
      '# local',
      '# from the wizard',
      'insecure-skip-tls-verify: yes',
      'token: 1e3',
    ])
      assert.ok(with2.includes(line), line)
    assert.equal(put(read(with2), aks, shop).toString(), with2, 'it is the same the second time')
    const without = read(with2)
    assert.equal(without.remove(new Set(['shop', 'aks']), url), true)
    assert.equal(without.toString(), read(foreign).toString())
    assert.equal(without.remove(new Set(['shop']), url), false)
    assert.equal(without.current, 'kind')
  })

  test('keeps what somebody set in an entry of ours, and no other credential', () => {
    const changed = put(read(''), shop)
      .toString()
      .replace('namespace: team', 'namespace: other')
      .replace('server:', 'disable-compression: true\n    server:')
    const credential = changed.replace('    exec:', '    token: left-over\n    exec:')
    const again = put(read(credential), { ...shop, server: 'https://new.example/clusters/shop' }).toString()
    assert.match(again, /namespace: other/)
    assert.match(again, /disable-compression: true\n {4}server: https:\/\/new\.example/)
    assert.doesNotMatch(again, /left-over/)
    const kubeconfig = read(again)
    kubeconfig.put(entriesOf(shop, options), url, { namespace: 'third' })
    assert.match(kubeconfig.toString(), /namespace: third/)
  })

  test('stays JSON', () => {
    const text = put(read('{"apiVersion":"v1","kind":"Config","clusters":[],"users":null}'), shop, aks).toString()
    assert.deepEqual(Object.keys(JSON.parse(text) as object), ['apiVersion', 'kind', 'clusters', 'users', 'contexts'])
  })

  test('of comments alone keeps them', () => {
    assert.match(put(read('# mine\n'), shop).toString(), /^# mine\n/)
  })

  test('is not written into where names are somebody else’s, or another gateway’s', () => {
    const named = (section: string, name: string): Kubeconfig => read(stringify({ [section]: [{ name }] }))
    const entries = entriesOf(shop, options)
    assert.deepEqual(named('contexts', 'shop').taken(entries, url), { what: 'context', name: 'shop' })
    assert.deepEqual(named('clusters', 'shop').taken(entries, url), { what: 'cluster', name: 'shop' })
    assert.deepEqual(named('users', `ostiary:${url}`).taken(entries, url), { what: 'user', name: `ostiary:${url}` })
    const ours = put(read(''), shop)
    assert.equal(ours.taken(entries, url), undefined)
    assert.deepEqual(ours.taken(entries, 'https://other.example'), { what: 'cluster', name: 'shop' })
    assert.equal(ours.remove(new Set(['shop']), 'https://other.example'), false)
  })

  test('keeps a user that a context of somebody needs, and no current context that is gone', () => {
    const text = put(read(''), shop, aks).toString()
    const own = text.replace('contexts:\n', `contexts:\n- name: mine\n  context: {cluster: shop, user: "ostiary:${url}"}\n`)
    const kubeconfig = read(own)
    kubeconfig.current = 'shop'
    kubeconfig.remove(new Set(['shop', 'aks']), url)
    const left = parse(kubeconfig.toString()) as Record<'clusters' | 'contexts' | 'users', { name: string }[]> & {
      'current-context': string
    }
    assert.deepEqual(
      left.clusters.map(({ name }) => name),
      ['shop'],
    )
    assert.deepEqual(
      left.contexts.map(({ name }) => name),
      ['mine'],
    )
    assert.deepEqual(
      left.users.map(({ name }) => name),
      [`ostiary:${url}`],
    )
    assert.equal(left['current-context'], '')
  })

  const broken: readonly [string, string, RegExp][] = [
    ['a list', '- a', /is no map/],
    ['a text', 'hello', /is no map/],
    ['half of it', 'clusters: [', /.+/],
    ['a tab', 'clusters:\n\t- name: a', /.+/],
    ['two of a key', 'clusters: []\nclusters: []', /unique/],
    ['two documents', 'kind: Config\n---\nkind: Config\n', /several documents/],
    ['something else of Kubernetes', 'kind: Pod\nmetadata: {}', /`kind` is not `Config`/],
    ['clusters that are a map', 'clusters: {a: b}', /`clusters` is no list/],
    ['users by another name', 'a: &a []\nusers: *a', /`users` is no list/],
    ['too much', '#'.repeat(16 * 1024 * 1024 + 1), /longer than/],
  ]
  for (const [name, text, problem] of broken)
    test(`is refused: ${name}`, () => {
      const found = Kubeconfig.read(text)
      assert.ok('problem' in found)
      assert.match(found.problem, problem)
      assert.doesNotMatch(found.problem, /\n/)
    })
})

describe('whatever is in a kubeconfig', () => {
  const name = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('yes', 'null', '~', '0x1', '1e3', 'a: b', '#x', 'on', "it's", '"', 'é\u2028'),
  )
  const value = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, name, fc.boolean(), fc.integer(), fc.constant(null), tie('list'), tie('map')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    map: fc.dictionary(
      name.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 3, noNullPrototype: true },
    ),
  })).value
  const items = (inner: string): fc.Arbitrary<unknown> =>
    fc.option(
      fc.array(
        fc.tuple(name, value).map(([key, held]) => ({ name: `x${key}`, [inner]: held })),
        { maxLength: 4 },
      ),
    )
  const foreign = fc.record(
    {
      kind: fc.constant('Config'),
      preferences: value,
      clusters: items('cluster'),
      contexts: items('context'),
      users: items('user'),
      extensions: value,
    },
    { requiredKeys: [] },
  )
  const comments = fc.constantFrom('', '# first\n', '# first\n\n# second\n')
  const style = fc.constantFrom(
    {},
    { indentSeq: false },
    { collectionStyle: 'flow' as const },
    { defaultStringType: 'QUOTE_DOUBLE' as const },
  )

  test('is there afterwards, and twice is once', () => {
    fc.assert(
      fc.property(foreign, comments, style, (held, comment, how) => {
        const text = `${comment}${new Document(held).toString(how)}`
        const before = parse(text) as Record<string, unknown>
        const once = put(read(text), shop, aks).toString()
        assert.equal(put(read(once), shop, aks).toString(), once)
        assert.ok(once.startsWith(comment.trim()))
        const after = parse(once) as Record<string, unknown[]>
        for (const key of ['preferences', 'extensions', 'kind']) if (key in before) assert.deepEqual(after[key], before[key])
        for (const section of ['clusters', 'contexts', 'users']) {
          const others = (before[section] ?? []) as unknown[]
          assert.deepEqual(after[section]!.slice(0, others.length), others)
          assert.equal(after[section]!.length, others.length + 2)
        }
        const removed = read(once)
        removed.remove(new Set(['shop', 'aks']), url)
        const left = parse(removed.toString()) as Record<string, unknown>
        for (const section of ['clusters', 'contexts', 'users']) assert.deepEqual(left[section], before[section] ?? [])
      }),
      { numRuns: runs(50) },
    )
  })

  test('or in any text, is refused or kept', () => {
    const text = fc.oneof(
      fc.string({ unit: character, maxLength: 60 }),
      fc
        .array(
          fc.constantFrom('users:', '\n', ' ', '- ', '{', '}', '[', ']', '&a', '*a', '"', '#', 'name: x', '|', '>', '<<: ', '!!str', '---'),
        )
        .map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, (given) => {
        const kubeconfig = Kubeconfig.read(given)
        if ('problem' in kubeconfig) return assert.notEqual(kubeconfig.problem, '')
        if (kubeconfig.taken(entriesOf(shop, options), url) !== undefined) return undefined
        const once = put(kubeconfig, shop).toString()
        return assert.equal(heldBy(put(read(once), shop).toString()), heldBy(once))
      }),
      { numRuns: runs(250) },
    )
  })
})
