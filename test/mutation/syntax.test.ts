/** What the operators of mutation change, and what they leave. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutantsOf } from './syntax.ts'

function changed(line: string): readonly string[] {
  return mutantsOf('one.ts', line).map(({ kind, text }) => `${kind}: ${text}`)
}

test('each operator is changed alone', () => {
  const lines: readonly (readonly [string, ...string[]])[] = [
    ['f(a < b)', 'statement: ;', 'boundary: f(((a ) <= ( b)))'],
    ['f(a || b && c)', 'statement: ;', 'logical: f(((a ) && ( b && c)))', 'logical: f(a || ((b ) || ( c)))'],
    ['f((a || b) && c)', 'statement: ;', 'logical: f((((a || b) ) || ( c)))', 'logical: f((((a ) && ( b))) && c)'],
    ['const x = !a ?? b', 'default: const x = ((!a ) && ( b))', 'negation: const x = a ?? b'],
    ['const x = a?.b', 'chaining: const x = a.b'],
    ['const x = a + 1', 'arithmetic: const x = ((a ) - ( 1))'],
    ['const x = a as boolean | true', ''],
    ['const x = `a` + b', ''],
    ['const x: Array<true> = (b).filter(f)', 'method: const x: Array<true> = (b)'],
    ['let x = 1; x += 2', 'statement: let x = 1; ;', 'arithmetic: let x = 1; x  -= ( 2)'],
    ['const x = a.every(f)', 'method: const x = a.some(f)'],
    ['const x = a ? 1 : 2', 'condition: const x = true ? 1 : 2', 'condition: const x = false ? 1 : 2'],
    ['while (a) continue', 'condition: while (false) continue', 'statement: while (a) ;'],
    ["type Effect = 'allow'; const x = 'allow'", "word: type Effect = 'allow'; const x = 'deny'"],
    [
      'function f(): boolean { return a }',
      'return: function f(): boolean { return true }',
      'return: function f(): boolean { return false }',
    ],
    ['const f = (): string => a', "return: const f = (): string => ''"],
    ["import x from 'deny'", ''],
  ]
  for (const [line, ...mutants] of lines) {
    assert.deepEqual(
      changed(line),
      mutants.filter((one) => one !== ''),
    )
    for (const { text } of mutantsOf('one.ts', line)) assert.doesNotThrow(() => mutantsOf('one.ts', text), text)
  }
})

test('a change is told with its line, and which of several of the line it is', () => {
  const told = mutantsOf('one.ts', 'const x = 1\n  const y = a === b === c\n').map(({ line, source, change }) => [line, source, change])
  assert.deepEqual(told, [
    [2, 'const y = a === b === c', '=== → !=='],
    [2, 'const y = a === b === c', '=== → !== (2)'],
  ])
})
