import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatAction } from '../core/action.ts'
import { isCanonical } from '../policy/actions/kubernetes/canonical.ts'
import { isNamespaced } from '../policy/actions/kubernetes/known.ts'
import { isMisread, readRequest, type ClusterRequest, type Misread } from './request.ts'

const namespaced = (group: string, _version: string, resource: string): boolean | undefined =>
  group === 'example.com' ? { widgets: true, planets: false }[resource] : isNamespaced(group, resource)

function read(line: string, contentType?: string): ClusterRequest | Misread {
  const [method = '', target = ''] = line.split(' ')
  const cut = target.indexOf('?')
  const [path, query] = cut < 0 ? [target, ''] : [target.slice(0, cut), target.slice(cut)]
  return readRequest({ method, path, query, contentType }, namespaced)
}

function does(line: string, contentType?: string): string {
  const found = read(line, contentType)
  if (isMisread(found)) return `${found.status}`
  return [found.action, ...found.also].map(formatAction).join(' + ')
}

/** As `NewRequestInfo` of k8s.io/apiserver has them, in the words of a policy's tests. */
const READ: readonly (readonly [line: string, action: string])[] = [
  ['GET /api/v1/namespaces/shop/pods', 'list pods -n shop'],
  ['GET /api/v1/namespaces/shop/pods/web-1', 'get pods web-1 -n shop'],
  ['HEAD /api/v1/namespaces/shop/pods/web-1', 'get pods web-1 -n shop'],
  ['GET /api/v1/pods', 'list pods -A'],
  ['GET /api/v1/pods?watch=true', 'watch pods -A'],
  ['GET /api/v1/pods?watch=1&limit=500', 'watch pods -A'],
  ['GET /api/v1/pods?watch=false', 'list pods -A'],
  ['GET /api/v1/watch/pods', 'watch pods -A'],
  ['GET /api/v1/watch/namespaces/shop/pods/web-1', 'watch pods web-1 -n shop'],
  ['GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb-1', 'list pods web-1 -n shop'],
  ['GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3D%3Dweb-1&watch=true', 'watch pods web-1 -n shop'],
  // Anything beside the name is more than a name.
  ['GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb-1%2Cstatus.phase%3DRunning', 'list pods -n shop'],
  ['GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%21%3Dweb-1', 'list pods -n shop'],
  ['DELETE /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb-1', 'deletecollection pods -n shop'],
  ['DELETE /api/v1/namespaces/shop/pods/web-1', 'delete pods web-1 -n shop'],
  ['POST /api/v1/namespaces/shop/pods', 'create pods -n shop'],
  ['PUT /api/v1/namespaces/shop/pods/web-1', 'update pods web-1 -n shop'],
  ['PATCH /api/v1/namespaces/shop/pods/web-1/status', 'patch pods/status web-1 -n shop'],
  ['GET /api/v1/namespaces/shop/pods/web-1/log?follow=true', 'get pods/log web-1 -n shop'],
  // By whatever method it comes.
  ['GET /api/v1/namespaces/shop/pods/web-1/exec?command=sh', 'create pods/exec web-1 -n shop'],
  ['POST /api/v1/namespaces/shop/pods/web-1/exec?command=sh', 'create pods/exec web-1 -n shop'],
  ['GET /api/v1/namespaces/shop/pods/web-1/portforward', 'create pods/portforward web-1 -n shop'],
  ['GET /api/v1/namespaces/shop/services/https:web:443/proxy/a//b/', 'create services/proxy https:web:443 -n shop'],
  ['GET /api/v1/namespaces/shop/services/web/proxy/logs?follow=yes&watch=1&watch=2;x', 'create services/proxy web -n shop'],
  ['DELETE /api/v1/nodes/n1/proxy/', 'create nodes/proxy n1'],
  ['POST /api/v1/namespaces/shop/pods/web-1/eviction', 'create pods/eviction web-1 -n shop'],
  ['POST /api/v1/namespaces/shop/serviceaccounts/ci/token', 'create serviceaccounts/token ci -n shop'],
  // A namespace is in itself.
  ['GET /api/v1/namespaces', 'list namespaces'],
  ['POST /api/v1/namespaces', 'create namespaces'],
  ['GET /api/v1/namespaces/shop', 'get namespaces shop -n shop'],
  ['GET /api/v1/namespaces?fieldSelector=metadata.name%3Dshop', 'list namespaces shop -n shop'],
  ['DELETE /api/v1/namespaces/shop', 'delete namespaces shop -n shop'],
  ['PUT /api/v1/namespaces/shop/finalize', 'update namespaces/finalize shop -n shop'],
  ['PATCH /api/v1/namespaces/shop/status', 'patch namespaces/status shop -n shop'],
  ['GET /api/v1/nodes', 'list nodes'],
  ['GET /api/v1/nodes/n1', 'get nodes n1'],
  ['GET /apis/apps/v1/namespaces/shop/deployments/web/scale', 'get deployments.apps/scale web -n shop'],
  ['GET /apis/apps/v1/deployments', 'list deployments.apps -A'],
  ['GET /apis/example.com/v1/widgets', 'list widgets.example.com -A'],
  ['GET /apis/example.com/v1/planets', 'list planets.example.com'],
  // Nobody knows whether these are in namespaces: they may be in all.
  ['GET /apis/example.com/v1/stars', 'list stars.example.com -A'],
  ['GET /apis/example.com/v1/stars/sun', 'get stars.example.com sun'],
  ['DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', 'delete clusterroles.rbac.authorization.k8s.io system:node'],
  ['DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node', 'delete clusterroles.rbac.authorization.k8s.io system:node'],
  // What is no resource.
  ['GET /', 'get /'],
  ['GET /api', 'get /api'],
  ['GET /api/v1', 'get /api/v1'],
  ['GET /apis', 'get /apis'],
  ['GET /apis/apps', 'get /apis/apps'],
  ['GET /apis/apps/v1', 'get /apis/apps/v1'],
  ['GET /openapi/v3/apis/apps/v1', 'get /openapi/v3/apis/apps/v1'],
  ['HEAD /healthz', 'get /healthz'],
  ['POST /healthz', 'post /healthz'],
  ['GET /version', 'get /version'],
  // An update that makes what isn't there.
  [
    'PUT /apis/coordination.k8s.io/v1/namespaces/shop/leases/l',
    'update leases.coordination.k8s.io l -n shop + create leases.coordination.k8s.io l -n shop',
  ],
  ['PUT /api/v1/namespaces/shop/services/web', 'update services web -n shop + create services web -n shop'],
  ['PUT /api/v1/namespaces/shop/services/web/status', 'update services/status web -n shop'],
]

const REFUSED: readonly (readonly [line: string, status: string])[] = [
  ['GET /api/v1/namespaces/shop/pods/', '400'],
  ['GET /api/v1//pods', '400'],
  ['GET /api/v1/namespaces/shop/pods/web-1/log/more', '400'],
  ['GET /api/v1/namespaces/shop/pods/web%2F1', '400'],
  ['GET /api/v1/namespaces/shop/pods/web%5C1', '400'],
  ['GET /api/v1/namespaces/shop/pods/web%251', '400'],
  ['GET /api/v1/namespaces/shop/pods/%00', '400'],
  ['GET /api/v1/namespaces/shop/pods/%ff', '400'],
  ['GET /api/v1/namespaces/%2e%2e/pods', '400'],
  ['GET /api/v1/namespaces/*/pods', '400'],
  ['DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/*', '400'],
  ['DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/%2A', '400'],
  ['GET /api/v1/proxy/namespaces/shop/services/web', '400'],
  ['GET /api/v1/watch', '400'],
  ['GET /healthz/', '400'],
  ['GET /api/v1/pods?watch=true&watch=false', '400'],
  ['GET /api/v1/pods?watch=yes', '400'],
  ['GET /api/v1/pods?watch=', '400'],
  ['GET /api/v1/pods?%77atch=true&watch=false', '400'],
  ['GET /api/v1/pods?a;watch=true', '400'],
  ['GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Da&fieldSelector=metadata.name%3Db', '400'],
  ['GET /api/v1/namespaces/shop/pods/web-1?watch=true', '400'],
  ['PUT /api/v1/namespaces/shop/pods', '405'],
  ['PATCH /api/v1/pods', '405'],
  ['OPTIONS /api/v1/pods', '405'],
  ['POST /api/v1/watch/pods', '405'],
  ['PROPFIND /healthz', '405'],
]

describe('a request to an API server', () => {
  for (const [line, action] of READ) test(`${line} is ${action}`, () => assert.equal(does(line), action))
  for (const [line, status] of REFUSED) test(`${line} is refused with ${status}`, () => assert.equal(does(line), status))

  test('that applies makes what is not there', () => {
    const line = 'PATCH /apis/apps/v1/namespaces/shop/deployments/web'
    assert.equal(does(line, 'application/merge-patch+json'), 'patch deployments.apps web -n shop')
    for (const type of ['application/apply-patch+yaml', 'Application/Apply-Patch+YAML; charset=utf-8', 'application/apply-patch+cbor'])
      assert.equal(does(line, type), 'patch deployments.apps web -n shop + create deployments.apps web -n shop')
    assert.equal(does(`${line}/scale`, 'application/apply-patch+yaml'), 'patch deployments.apps/scale web -n shop')
  })

  test('has no end of its own where it watches or follows', () => {
    const open = (line: string): boolean => {
      const found = read(line)
      return !isMisread(found) && found.open
    }
    assert.equal(open('GET /api/v1/pods?watch=true'), true)
    assert.equal(open('GET /api/v1/pods'), false)
    assert.equal(open('GET /api/v1/namespaces/shop/pods/web-1/log?follow=true'), true)
    assert.equal(open('GET /api/v1/namespaces/shop/pods/web-1/log'), false)
  })

  test('is a stream only where it is one of a pod', () => {
    const stream = (line: string) => {
      const found = read(line)
      return isMisread(found) ? undefined : found.stream
    }
    assert.equal(stream('POST /api/v1/namespaces/shop/pods/web-1/exec'), 'exec')
    assert.equal(stream('POST /apis/example.com/v1/namespaces/shop/pods/web-1/exec'), undefined)
    assert.equal(stream('POST /api/v1/namespaces/shop/pods/web-1/proxy'), undefined)
  })

  test('has one reading, whatever is written, and no path of it turns into another', () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'api',
        'apis',
        'v1',
        'apps',
        'namespaces',
        'watch',
        'proxy',
        'pods',
        'shop',
        'status',
        'exec',
        'log',
        '',
        '.',
        '..',
        '%2F',
      ),
      fc.string({ maxLength: 6 }).map((text) => encodeURIComponent(text.toWellFormed())),
    )
    const path = fc.array(segment, { maxLength: 9 }).map((parts) => `/${parts.join('/')}`)
    const query = fc.oneof(
      fc.constant(''),
      fc.string({ maxLength: 12 }).map((text) => `?${text}`),
      fc.constant('?watch=true'),
    )
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'FOO')
    fc.assert(
      fc.property(method, path, query, (verb, where, asked) => {
        const found = readRequest({ method: verb, path: where, query: asked, contentType: undefined }, namespaced)
        if (isMisread(found)) return
        const { action } = found
        // Of what is canonical, the path can be told from the action, up to what stands behind a proxy.
        if (!isCanonical(action) || action.path !== '') return
        const parts = where.split('/').map((part) => decodeURIComponent(part))
        assert.ok(parts.includes(action.resource), where)
        if (action.namespace !== '' && action.namespace !== '*') assert.ok(parts.includes(action.namespace), where)
        if (action.subresource !== '') assert.ok(parts.includes(action.subresource), where)
      }),
      { numRuns: 2000 },
    )
  })
})
