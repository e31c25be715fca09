import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { LlmAction } from '../../../core/action.ts'
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
import { llm } from './index.ts'

const act = (text: string): LlmAction => actionOf(llm, text)

coversAsSaid(llm, [
  ['chat gpt-4o', 'chat gpt-4o', true, true],
  ['chat gpt-4o', 'chat gpt-4o-mini', false, false],
  ['chat gpt-4o*', 'chat gpt-4o-mini', true, true],
  ['chat gpt-4o*', 'chat GPT-4o-mini', true, true],
  ['chat gpt-4o*', 'embed gpt-4o', false, false],
  ['chat gpt-4o,claude-*', 'chat claude-sonnet-4-5', true, true],
  ['chat,count anthropic/claude-*', 'count anthropic/claude-opus-4-1', true, true],
  ['chat *', 'chat meta-llama/llama-3.3-70b', true, true],
  ['chat gpt-4o', 'chat gpt-4o tokens=1000', true, true],
  ['embed text-embedding-3-*', 'embed text-embedding-3-small', true, true],
  ['models', 'models', true, true],
  ['*', 'models', true, true],
  ['*', 'chat gpt-4o', true, true],
  ['* gpt-4o', 'chat gpt-4o', true, true],
  ['* gpt-4o', 'models', false, false],
  ['*', 'tune gpt-4o', false, true],
  ['*', 'file', false, true],
  ['*', 'batch', false, true],
  ['* *', 'tune gpt-4o', false, true],
  ['tune gpt-4o', 'tune gpt-4o', true, true],
])

refusesPatterns(llm, [
  ['chat', /says not of which model/, /`chat gpt-4o\*`/],
  ['Chat gpt-4o', /not one of operations/, /`chat`/],
  ['chta gpt-4o', /not one of operations/, /`chat`/],
  ['chat GPT-4o', /upper-case/, /`gpt-4o`/],
  ['models gpt-4o', /on no model/],
  ['chat gpt-4o 1000', /operations and models/, /request\.tokens/],
  ['chat gpt-4o,', /empty place/],
  ['chat -gpt', /not a model/],
])

refusesActions(llm, [
  ['chat', /says not of which model/],
  ['chat gpt-*', /concrete/],
  ['models x', /on no model/],
  ['chat gpt-4o tokens=-1', /operation, a model and tokens/],
  ['chat gpt-4o tokens=1e9', /operation, a model and tokens/],
])

test('an action that has no canonical form is met by nothing', () =>
  meetsNothing(llm, ['chat *', '*'], act('chat gpt-4o'), [
    { operation: 'Chat' },
    { operation: 'models' },
    { operation: 'fly' },
    { model: '' },
    { model: '*' },
    { model: 'GPT-4o' },
    { model: 'gpt\u20104o' },
    { model: 'gpt 4o' },
    { model: 'x'.repeat(256) },
    { tokens: -1 },
    { tokens: Number.NaN },
    { tokens: 1.5 },
  ]))

test('properties', () => {
  assert.deepEqual(llm.readParts('chat', { model: 'GPT-4o', tokens: 100 }), act('chat gpt-4o tokens=100'))
  assert.deepEqual(llm.readParts('models', {}), act('models'))
  assert.ok('problem' in llm.readParts('chat', { model: 'gpt-4o', tokens: '100' }))
  assert.ok('problem' in llm.readParts('chat', {}))
})

test('comparison is sound, and complete on a small alphabet', () => {
  const models = ['a', 'a*', '*b', '*', 'a,b']
  const texts = [
    ...['chat', '*', 'chat,embed', 'tune'].flatMap((one) => models.map((model) => `${one} ${model}`)),
    '*',
    'models',
    'models,batch',
  ]
  const actions: LlmAction[] = [
    ...['chat', 'embed', 'tune', 'count'].flatMap((one) => ['a', 'ab', 'b', 'c', 'acb'].map((model) => act(`${one} ${model}`))),
    ...['models', 'batch', 'file'].map(act),
  ]
  holdsComparison(llm, texts, actions)
})

const words = (...all: string[]) => fc.constantFrom(...all)
const patternText = words('*', 'chat a', 'chat a*', 'chat,embed a,b', '* *', 'models', 'tune *', 'models,file')
const anyAction: fc.Arbitrary<LlmAction> = fc.record({
  protocol: fc.constant('llm' as const),
  operation: words('chat', 'embed', 'tune', 'models', 'Chat'),
  model: words('a', 'ab', 'b', '', 'A'),
})

test('the index agrees with the plain definition', () => holdsIndex(llm, patternText, anyAction))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () =>
  holdsTotal(llm, fc.oneof(patternText, words('chat gpt-4o tokens=5', 'chat openai/gpt-4o', 'models'))))
