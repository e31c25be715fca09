/**
 * Imports the test files, one after another, for `node --test --test-isolation=none`, which passes over a file that can't be imported as
 * if it held no test. Here that is a failure of its own.
 */
import { resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

const files = (process.env['OSTIARY_TEST_FILES'] ?? '').split('\n').filter((file) => file !== '')
if (files.length === 0) void test('there are test files', () => Promise.reject(new Error('none was named')))

for (const file of files) {
  try {
    await import(pathToFileURL(resolve(file)).href)
  } catch (error) {
    void test(`${file} can be imported`, () => {
      throw error
    })
  }
}
