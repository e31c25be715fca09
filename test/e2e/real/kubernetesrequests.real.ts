/** Requests are read as a real API server reads them: what it writes into its audit log is compared with what the door would decide. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { ALL } from '../../../src/core/action.ts'
import { isMisread, readRequest } from '../../../src/kubernetes/request.ts'
import { isNamespaced } from '../../../src/policy/actions/kubernetes/known.ts'
import { haveCluster, startCluster, type Cluster } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { canonicalPath } from '../../../src/http/target.ts'

const here = haveCluster()
const TOKEN = 'token-of-nobody'

interface Audited {
  readonly verb: string
  readonly requestURI: string
  readonly auditID: string
  readonly stage: string
  readonly objectRef?: {
    readonly resource?: string
    readonly namespace?: string
    readonly name?: string
    readonly apiGroup?: string
    readonly subresource?: string
  }
}

const segment = fc.constantFrom(
  'namespaces',
  'pods',
  'shop',
  'web-1',
  'status',
  'finalize',
  'exec',
  'log',
  'proxy',
  'watch',
  'nodes',
  'widgets',
  'scale',
  'a:b',
  'x%3Ay',
)
const front = fc.constantFrom(
  '/api/v1',
  '/apis/apps/v1',
  '/apis/example.com/v1beta1',
  '/api',
  '/apis',
  '/apis/apps',
  '/healthz',
  '/logs',
  '/openapi/v3',
)
const path = fc.tuple(front, fc.array(segment, { maxLength: 6 })).map(([start, rest]) => [start, ...rest].join('/'))
const query = fc.constantFrom(
  '',
  '?watch=true',
  '?watch=1',
  '?watch=false',
  '?watch=0',
  '?fieldSelector=metadata.name%3Dweb-1',
  '?fieldSelector=metadata.name%3D%3Dweb-1&watch=true',
  '?fieldSelector=metadata.name%3Dweb-1%2Cmetadata.namespace%3Dshop',
  '?fieldSelector=metadata.namespace%3Dshop',
  '?fieldSelector=metadata.name%21%3Dweb-1',
  '?limit=1&continue=x',
  '?resourceVersionMatch=nonsense&fieldSelector=metadata.name%3Dweb-1',
)
const method = fc.constantFrom('GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD')

describe('requests for a cluster', { skip: here === true ? false : here }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({
      users: [{ name: 'nobody', token: TOKEN }],
      audit: { policy: { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] }, log: true },
    })
  })
  after(() => cluster?.stop())

  function ask(verb: string, target: string, id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${TOKEN}`, 'audit-id': id }
      const asked = request(`${cluster.server}${target}`, { method: verb, ca: cluster.ca, headers, agent: false }, (answer) => {
        answer.resume().on('end', resolve)
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  test('are about what the API server takes them to be about', async () => {
    const samples = fc.sample(fc.tuple(method, path, query), { numRuns: 600, seed: 7 }).filter(([, where]) => canonicalPath(where).ok)
    for (let i = 0; i < samples.length; i += 20)
      await Promise.all(samples.slice(i, i + 20).map(([verb, where, asked], n) => ask(verb, where + asked, `sample-${i + n}`)))
    await ask('GET', '/version', 'sample-last')
    const events = await eventually('all are in the log', async () => {
      const all = new Map<string, Audited>()
      for (const line of readFileSync(cluster.auditLog, 'utf8').split('\n')) {
        if (!line.includes('"sample-')) continue
        const event = JSON.parse(line) as Audited
        all.set(event.auditID, event)
      }
      return all.has('sample-last') ? all : undefined
    })
    let compared = 0
    for (const [i, [verb, where, asked]] of samples.entries()) {
      const read = readRequest({ method: verb, path: where, query: asked, contentType: undefined }, (group, _version, resource) =>
        isNamespaced(group, resource),
      )
      if (isMisread(read)) continue
      const event = events.get(`sample-${i}`)
      // What the API server makes nothing of at all, it doesn't log.
      assert.ok(event !== undefined, `${verb} ${where}${asked} is not in the log`)
      compared++
      const { objectRef, verb: theirs } = event
      const { action } = read
      const line = `${verb} ${where}${asked}`
      if (objectRef?.resource === undefined) {
        assert.equal(action.resource, '', line)
        assert.equal(action.verb, theirs === 'head' ? 'get' : theirs, line)
        continue
      }
      assert.equal(action.resource, objectRef.resource, line)
      assert.equal(action.group, objectRef.apiGroup ?? '', line)
      assert.equal(action.subresource, objectRef.subresource ?? '', line)
      // Of ways into a pod it is the same by whatever method it comes.
      if (!['exec', 'attach', 'portforward', 'proxy'].includes(action.subresource)) assert.equal(action.verb, theirs, line)
      // Whoever is allowed all is allowed one by name: what is not read as a name is more.
      if (action.name !== ALL) assert.equal(action.name, objectRef.name, line)
      else assert.ok(objectRef.name === undefined || theirs !== 'get', line)
      if (action.namespace !== ALL && action.resource !== 'namespaces') assert.equal(action.namespace, objectRef.namespace ?? '', line)
    }
    assert.ok(compared > 300, `${compared} of ${samples.length}`)
  })
})
