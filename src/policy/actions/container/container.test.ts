import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { ContainerAction } from '../../../core/action.ts'
import {
  actionOf,
  coversAsSaid,
  holdsComparison,
  holdsIndex,
  holdsTotal,
  meetsNothing,
  refusesActions,
  refusesPatterns,
} from '../../../testing/actionlaws.ts'
import { readImage } from './image.ts'
import { container } from './index.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`
const act = (text: string): ContainerAction => actionOf(container, text)

coversAsSaid(container, [
  ['run acme/web', 'run acme/web:1.2', true, true],
  ['run acme/web', 'run docker.io/acme/web:1.2', true, true],
  ['run acme/web', 'run ghcr.io/acme/web:1.2', false, false],
  ['run acme/web:1.*', 'run acme/web:1.2', true, true],
  ['run acme/web:1.*', 'run acme/web:2.0', false, false],
  ['run acme/web:latest', 'run acme/web', true, true],
  // By its digest it is that image, whatever tag stands there too.
  ['run acme/web:1.*', `run acme/web:1.2@${DIGEST}`, false, false],
  [`run acme/web@${DIGEST}`, `run acme/web:1.2@${DIGEST}`, true, true],
  ['run acme/web@*', `run acme/web@${DIGEST}`, true, true],
  ['run acme/web@*', 'run acme/web:1.2', false, false],
  ['run acme/*', 'run acme/web:1', true, true],
  ['run acme/*', 'run acme/team/web:1', false, false],
  ['run ghcr.io/acme/**', 'run ghcr.io/acme/team/web:1', true, true],
  ['run nginx', 'run nginx:1.27', true, true],
  ['run nginx', 'run library/nginx:1.27', true, true],
  ['run nginx', 'run index.docker.io/library/nginx:1.27', true, true],
  ['run *', 'run ghcr.io/acme/web:1', true, true],
  ['run *:1.*', 'run ghcr.io/acme/web:1.2', true, true],
  ['run *:1.*', 'run nginx:2', false, false],
  ['run *@*', `run ghcr.io/acme/web@${DIGEST}`, true, true],
  ['run docker.io/**', 'run acme/team/web', true, true],
  ['run docker.io/*', 'run nginx', true, true],
  ['run docker.io/*', 'run acme/web', false, false],
  ['run ngin*', 'run nginx', true, true],
  ['run ngin*', 'run ghcr.io/nginx', false, false],
  ['run', 'run ghcr.io/acme/web:1', true, true],
  ['run acme/*', 'run', false, true],
  ['run *', 'run', true, true],
  ['run localhost:5000/web', 'run localhost:5000/web:1', true, true],
  // What opens the host has to be said.
  ['run acme/web', 'run acme/web:1 with privileged', false, true],
  ['run *', 'run acme/web:1 with host-network', false, true],
  ['run acme/web with privileged', 'run acme/web:1 with privileged', true, true],
  ['run acme/web with privileged', 'run acme/web:1', true, false],
  ['run acme/web with privileged', 'run acme/web:1 with privileged, host-pid', false, true],
  ['run acme/web with privileged, host-pid', 'run acme/web:1 with host-pid', true, true],
  ['run acme/web with *', 'run acme/web:1 with privileged, host-pid, mount /', true, true],
  ['run acme/web with *', 'run acme/web:1', true, false],
  ['run acme/web', 'run acme/web:1 with mount /srv', false, true],
  ['run acme/web with mount /srv/data', 'run acme/web:1 with mount /srv/data', true, true],
  ['run acme/web with mount /srv/data', 'run acme/web:1 with mount /srv/data:ro', true, true],
  ['run acme/web with mount /srv/data:ro', 'run acme/web:1 with mount /srv/data', false, true],
  ['run acme/web with mount /srv/data:ro', 'run acme/web:1 with mount /srv/data:ro', true, true],
  ['run acme/web with mount /srv/**', 'run acme/web:1 with mount /srv/a/b', true, true],
  ['run acme/web with mount /srv/data', 'run acme/web:1 with mount /srv/other', false, false],
  // Whoever has a folder has what is in it: the root has everything.
  ['run acme/web with mount /etc/**', 'run acme/web:1 with mount /', false, true],
  ['run acme/web with mount /etc/**', 'run acme/web:1 with mount /etc', false, true],
  ['run acme/web with mount /var/run/docker.sock', 'run acme/web:1 with mount /var/run', false, true],
  ['run acme/web with mount /var/run/docker.sock', 'run acme/web:1 with mount /var/lib', false, false],
  ['* *', 'run acme/web:1', true, true],
  ['* *', 'logs acme/web:1 named web-1', true, true],
  ['*', 'info', true, true],
  // A way into containers, and what runs code or changes the engine, has to be named.
  ['* *', 'exec acme/web:1 named web-1', false, true],
  ['* *', 'attach acme/web:1 named web-1', false, true],
  ['* *', 'cp acme/web:1 named web-1', false, true],
  ['* *', 'build acme/web:1', false, true],
  ['*', 'plugin', false, true],
  ['*', 'swarm', false, true],
  ['exec *', 'exec acme/web:1 named web-1', true, true],
  ['exec *', 'exec acme/web:1 named web-1 with privileged', false, true],
  ['logs,stop * named web-*', 'stop acme/web:1 named web-1', true, true],
  ['logs,stop * named web-*', 'stop acme/web:1 named db', false, false],
  ['stop named web-*', 'stop named web-1', true, true],
  ['stop acme/web', 'stop named web-1', false, true],
  ['ps named web-*', 'ps', false, true],
  ['ps', 'ps', true, true],
])

refusesPatterns(container, [
  ['Run nginx', /not one of operations/, /`run`/],
  ['runn nginx', /not one of operations/, /`run`/],
  ['run Nginx', /upper-case/, /`nginx`/],
  ['run nginx:1:2', /not a tag/],
  ['run nginx@sha256:12', /not a tag and not a digest/],
  ['run nginx@', /not an image/],
  ['run /nginx', /not an image/],
  ['run acme/**/web', /not an image|only comes last/],
  ['run nginx web', /operations, an image/],
  ['info nginx', /on no image/],
  ['pull nginx named x', /no container/],
  ['logs nginx with privileged', /no options/],
  ['run nginx with priviledged', /not one of the options/, /`privileged`/],
  ['run nginx with /etc', /not an option/, /`mount \/etc`/],
  ['run nginx with mount etc', /not a mount/],
  ['run nginx with mount /etc/../x', /canonical/],
  ['run nginx with mount /etc:rw', /behind its path/, /`:ro`/],
  ['stop nginx named -x', /not the name/],
])

refusesActions(container, [
  ['run acme/*', /concrete/],
  ['run,stop acme/web', /not one of the operations/],
  ['run acme/Web', /not an image/],
  ['run acme/web:', /not an image/],
  ['stop acme/web with privileged', /can not have/],
  ['run acme/web with mount etc', /not a mount/],
  ['info named x', /no image and no container/],
])

describe('an image in full', () => {
  const rows: readonly (readonly [text: string, full: string | undefined])[] = [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['acme/app', 'docker.io/acme/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/acme/app', 'docker.io/acme/app:latest'],
    ['ghcr.io/acme/app', 'ghcr.io/acme/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app:2', 'localhost:5000/app:2'],
    ['registry:5000/app', 'registry:5000/app:latest'],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    [`nginx:1@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    ['acme/a__b-c.d', 'docker.io/acme/a__b-c.d:latest'],
    ['acme/a..b', undefined],
    ['acme/-a', undefined],
    ['ACME/a', undefined],
    ['acme//a', undefined],
    ['../a', undefined],
    ['nginx@sha256:AB', undefined],
    ['nginx:', undefined],
  ]
  for (const [text, full] of rows)
    test(text, () => {
      const read = readImage(text)
      assert.equal('problem' in read ? undefined : `${read.repository}${read.version}`, full)
    })
})

test('an action that has no canonical form is met by nothing', () => {
  const good = act('run acme/web:1 named web')
  meetsNothing(container, ['run * with *', '* * with *', 'run *'], good, [
    { operation: 'RUN' },
    { operation: '*' },
    { repository: '' },
    { repository: 'acme/web' },
    { repository: 'docker.io/Acme/web' },
    { repository: 'docker.io/acme/../web' },
    { repository: '*' },
    { version: '' },
    { version: 'latest' },
    { version: '@sha256:1' },
    { name: '' },
    { name: 'a/b' },
    { name: 'w\u0435b' },
    { options: ['mount'] },
    { options: ['mount etc'] },
    { options: ['mount /a/../b'] },
    { options: ['mount /a/'] },
    { options: ['mount /a b'] },
    { options: ['Privileged'] },
    { options: ['privileged\n'] },
  ])
})

test('what properties leave open can not be told', () => {
  assert.deepEqual(
    container.readParts('run', { image: 'acme/web:1', name: 'web', options: ['privileged', 'mount /srv:ro'] }),
    act('run acme/web:1 named web with privileged, mount /srv:ro'),
  )
  assert.deepEqual(container.readParts('stop', { name: 'web' }), act('stop named web'))
  assert.deepEqual(container.readParts('info', {}), act('info'))
  assert.ok('problem' in container.readParts('run', { options: 'privileged' }))
  assert.ok('problem' in container.readParts('run', { options: ['x'] }))
})

test('comparison is sound, and complete on a small alphabet', () => {
  const images = ['', ' a.io/x', ' a.io/*', ' a.io/**', ' a.io/x:1', ' a.io/x:1*', ' *']
  const options = ['', ' with privileged', ' with *', ' with privileged, mount /a', ' with mount /a:ro', ' with mount /a/**']
  const texts = [
    ...images.flatMap((image) => options.map((with_) => `run${image}${with_}`)),
    ...images.map((image) => `logs,run${image}`),
    'logs named a',
    'logs,run named a*',
    'logs a.io/x named *',
    'pull a.io/x',
  ]
  const versions = [':1', ':11', ':2', '*']
  const places = [
    ...['a.io/x', 'a.io/y', 'a.io/x/y', 'b.io/x'].flatMap((repository) => versions.map((version) => ({ repository, version }))),
    { repository: '*', version: '*' },
  ]
  const has = [
    [],
    ['privileged'],
    ['host-pid'],
    ['host-pid', 'privileged'],
    ['mount /a'],
    ['mount /a:ro'],
    ['mount /a/b'],
    ['mount /a/b:ro'],
    ['mount /'],
    ['mount /:ro'],
    ['mount /b'],
    ['mount /a', 'privileged'],
    ['mount /a:ro', 'privileged'],
    ['mount /a', 'mount /a/b'],
    ['mount /:ro', 'mount /a'],
    ['mount /a/b', 'privileged'],
    ['mount /a:ro', 'mount /a/b', 'privileged'],
  ]
  const actions = places.flatMap((place) =>
    ['a', 'ab', 'b', '*'].flatMap((name) => [
      ...has.map((list): ContainerAction => ({ protocol: 'container', operation: 'run', ...place, name, options: list })),
      { protocol: 'container', operation: 'logs', ...place, name, options: [] } as ContainerAction,
    ]),
  )
  holdsComparison(container, texts, [
    ...actions,
    ...places.map((place): ContainerAction => ({ protocol: 'container', operation: 'pull', ...place, name: '', options: [] })),
  ])
})

const words = (...all: string[]) => fc.constantFrom(...all)
const patternText = fc.oneof(
  fc
    .tuple(
      words('run', 'run', '*', 'run,exec'),
      words('', ' acme/web', ' acme/*:1*', ' *', ' ghcr.io/a/**'),
      words('', '', ' named web-*', ' named web,db'),
      words('', '', ' with privileged', ' with *', ' with mount /a/**, devices'),
    )
    .map(([one, ...rest]) => `${one}${rest.join('')}`),
  words('logs,stop acme/web', 'ps', 'pull *', 'info,version'),
)
const anyAction: fc.Arbitrary<ContainerAction> = fc.record({
  protocol: fc.constant('container' as const),
  operation: words('run', 'run', 'exec', 'logs', 'RUN'),
  repository: words('docker.io/acme/web', 'ghcr.io/a/b', 'docker.io/library/x', '*', 'x'),
  version: words(':1', ':1.2', ':2', '*', `@${DIGEST}`),
  name: words('web', 'web-1', 'db', '*', ''),
  options: fc.subarray(['devices', 'mount /a', 'mount /a/b:ro', 'privileged']),
})

test('the index agrees with the plain definition', () =>
  holdsIndex(container, patternText, fc.oneof(anyAction, words('ps', 'info', 'pull nginx', 'stop acme/web:1').map(act))))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () =>
  holdsTotal(
    container,
    fc.oneof(patternText, words('run nginx', 'run acme/web:1 named x with mount /a:ro', 'exec named web', `pull x@${DIGEST}`)),
  ))
