import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { catalogue } from '../src/core/catalogue/index.ts'
import { generated } from './generate.ts'

const root = join(import.meta.dirname, '..')

test('generated files are up to date: `node bin/ostiary.js dev docs` writes them', () => {
  for (const [path, text] of generated()) assert.equal(readFileSync(join(root, path), 'utf8'), text, path)
})

test('every code of the catalogue is used, and every code used is in it', () => {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.includes('/catalogue/') && !file.endsWith('.test.ts'))
  const text = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
  // Some are made of a family and a closed set of names, as `http/${failure}`: then the name itself stands quoted somewhere.
  const unused = Object.keys(catalogue).filter(
    (code) => !text.includes(`'${code}'`) && !(text.includes(`\`${code.split('/')[0]}/\${`) && text.includes(`'${code.split('/')[1]}'`)),
  )
  assert.deepEqual(unused, [])
})

test('no file has more than 400 lines, and none is called by what it is not', () => {
  // Envoy's messages are generated, as long as their definitions are.
  const files = globSync('{src,tools,console,test}/**/*.{ts,tsx}', { cwd: root }).filter((file) => !file.startsWith('src/envoy/messages/'))
  assert.deepEqual(
    files.filter(
      (file) =>
        !file.endsWith('.test.ts') && !file.startsWith('src/testing/') && readFileSync(join(root, file), 'utf8').split('\n').length > 401,
    ),
    [],
  )
  assert.deepEqual(
    files.filter((file) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.)/.test(file)),
    [],
  )
})

test('the lock file carries no registry addresses', () => {
  assert.ok(!readFileSync(join(root, 'package-lock.json'), 'utf8').includes('"resolved"'))
})
