/** What is changed of a text of source code, one place at a time: the usual operators of mutation testing. */
import type { Change, Node, Operator } from './syntax.ts'

/** An operator of two sides that becomes another. The sides keep their meaning whatever binds tighter. */
function swapped(node: Node, text: string, to: string): Change {
  const { left, operator } = node as unknown as { readonly left: Node; readonly operator: string }
  const at = left.end + text.slice(left.end, node.end).indexOf(operator)
  const replacement = `((${text.slice(node.start, at)}) ${to} (${text.slice(at + operator.length, node.end)}))`
  return { from: operator, to, start: node.start, end: node.end, replacement }
}

function replaced({ start, end }: Node, text: string, replacement: string): Change {
  return { from: short(text.slice(start, end)), to: replacement, start, end, replacement }
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 57)}…` : line
}

/** Another operator for each of two sides. */
function binary(type: string, pairs: Readonly<Record<string, string>>, applies: (node: Node) => boolean = () => true): Operator['changes'] {
  return (node, text) => {
    const to = pairs[node.operator ?? '']
    return node.type === type && to !== undefined && Object.hasOwn(pairs, node.operator!) && applies(node) ? [swapped(node, text, to)] : []
  }
}

const BITS = { '|': '&', '&': '|', '^': '&', '<<': '>>', '>>': '<<', '>>>': '<<' }
const NUMBERS = { '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '**': '*', ...BITS }

/** `+` also joins texts, of which nothing can be taken away. */
function isNumeric({ operator, left, right }: Node): boolean {
  const isText = (side: unknown): boolean => {
    const { type, value, operator: of, left: first, right: second } = side as Node
    return type === 'TemplateLiteral' || typeof value === 'string' || (of === '+' && (isText(first) || isText(second)))
  }
  return operator !== '+' || !(isText(left) || isText(right))
}

const WORDS: Readonly<Record<string, string>> = {
  allow: 'deny',
  deny: 'allow',
  challenge: 'allow',
  'needs-approval': 'allow',
  held: 'not-held',
  'not-held': 'held',
  unknown: 'not-held',
  partial: 'whole',
  whole: 'partial',
  all: 'any',
  any: 'all',
  none: 'any',
}

/** Methods that become another, or nothing: what is called on stays. */
const METHODS: Readonly<Record<string, string | undefined>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  toLowerCase: 'toUpperCase',
  toUpperCase: 'toLowerCase',
  find: 'findLast',
  findLast: 'find',
  filter: undefined,
  toSorted: undefined,
  sort: undefined,
  toReversed: undefined,
  slice: undefined,
  trim: undefined,
}

function method(node: Node, text: string): readonly Change[] {
  if (node.type !== 'CallExpression' || node.callee?.type !== 'MemberExpression' || node.callee.computed === true) return []
  const { object, property } = node.callee as unknown as { readonly object: Node; readonly property: Node }
  const name = property.name!
  if (!Object.hasOwn(METHODS, name)) return []
  const to = METHODS[name]
  if (to !== undefined) return [{ from: name, to, start: property.start, end: property.end, replacement: to }]
  // A parenthesis that closes what it is called on stays where it is.
  const gap = /^[\s)]*/.exec(text.slice(object.end, property.start))![0].trimEnd().length
  return [{ from: `.${name}(…)`, to: '', start: object.end + gap, end: node.end, replacement: '' }]
}

/** What stands where a truth decides: an `if`, a choice, a loop. A loop that never ends tells no more than one that never begins. */
function condition(node: Node, text: string): readonly Change[] {
  if (node.test?.type === undefined || node.test.type === 'Literal') return []
  if (node.type === 'IfStatement' || node.type === 'ConditionalExpression')
    return ['true', 'false'].map((to) => replaced(node.test!, text, to))
  return node.type === 'WhileStatement' || node.type === 'ForStatement' ? [replaced(node.test, text, 'false')] : []
}

const BOOLEAN_METHODS = new Set(['some', 'every', 'includes', 'has', 'test', 'startsWith', 'endsWith', 'isArray', 'hasOwn'])
const BOOLEAN_OPERATORS = new Set(['===', '!==', '<', '<=', '>', '>=', 'in', '!', 'instanceof'])

function isBoolean(node: Node): boolean {
  if (BOOLEAN_OPERATORS.has(node.operator ?? '')) return true
  if (node.operator === '&&' || node.operator === '||') return isBoolean(node.right as Node)
  return node.type === 'CallExpression' && BOOLEAN_METHODS.has((node.callee?.property as Node | undefined)?.name ?? '')
}

/** What a function answers instead, by what it says or shows that it answers. */
function answers(says: Node | undefined, value: Node): readonly string[] {
  switch (says?.type) {
    case 'TSBooleanKeyword':
    case 'TSTypePredicate':
      return ['true', 'false']
    case 'TSNumberKeyword':
      return ['0']
    case 'TSStringKeyword':
      return ["''"]
    case 'TSArrayType':
    case 'TSTypeOperator':
      return ['[]']
    case undefined:
      return isBoolean(value) ? ['true', 'false'] : []
    default:
      return ['undefined']
  }
}

function answer(node: Node, text: string, within: Node | undefined): readonly Change[] {
  const arrow = node.type === 'ArrowFunctionExpression' && node.expression === true
  const value = arrow ? (node.body as Node) : node.type === 'ReturnStatement' ? node.argument : undefined
  // A word in place of another is an operator of its own.
  if (value === undefined || value === null || typeof value.value === 'string') return []
  const says = (arrow ? node : within)?.returnType?.typeAnnotation
  return answers(says, value)
    .filter((to) => to !== text.slice(value.start, value.end))
    .map((to) => replaced(value, text, to))
}

const DONE = new Set([
  'CallExpression',
  'AssignmentExpression',
  'UpdateExpression',
  'YieldExpression',
  'AwaitExpression',
  'ChainExpression',
])

function statement(node: Node, text: string): readonly Change[] {
  const done = node.type === 'ExpressionStatement' && DONE.has(node['expression' as 'body']?.type ?? '')
  return done || ['ContinueStatement', 'BreakStatement', 'ThrowStatement'].includes(node.type) ? [replaced(node, text, ';')] : []
}

function assignment(node: Node, text: string): readonly Change[] {
  const pairs: Readonly<Record<string, string>> = { '+=': '-=', '-=': '+=', '|=': '&=', '&=': '|=', '^=': '&=', '*=': '/=', '<<=': '>>=' }
  const to = pairs[node.operator ?? '']
  const isText = (node.right as Node | undefined)?.type === 'TemplateLiteral' || typeof (node.right as Node | undefined)?.value === 'string'
  return node.type === 'AssignmentExpression' && to !== undefined && !isText ? [swapped(node, text, to)].map(bare) : []
}

/** An assignment is no expression to stand in parentheses. */
function bare(change: Change): Change {
  return { ...change, replacement: change.replacement.slice(1, -1).replace(/^\((.*?)\) /s, '$1 ') }
}

function chaining({ type, optional, computed, object, property }: Node): readonly Change[] {
  if (type !== 'MemberExpression' || optional !== true || computed === true) return []
  const { start: at, end: start } = object as Node
  // What comes behind `?.` is counted as reached only where there is something to reach.
  return [{ from: '?.', to: '.', at, start, end: (property as Node).start, replacement: '.' }]
}

export const OPERATORS: readonly Operator[] = [
  { kind: 'boundary', changes: binary('BinaryExpression', { '<': '<=', '<=': '<', '>': '>=', '>=': '>' }) },
  { kind: 'equality', changes: binary('BinaryExpression', { '===': '!==', '!==': '===' }) },
  { kind: 'logical', changes: binary('LogicalExpression', { '&&': '||', '||': '&&' }) },
  { kind: 'default', changes: binary('LogicalExpression', { '??': '&&' }) },
  {
    kind: 'chaining',
    changes: chaining,
  },
  {
    kind: 'negation',
    changes: (node) =>
      node.type === 'UnaryExpression' && node.operator === '!'
        ? [{ from: '!', to: '', start: node.start, end: node.start + 1, replacement: '' }]
        : [],
  },
  {
    kind: 'arithmetic',
    changes: (node, text) => [...binary('BinaryExpression', NUMBERS, isNumeric)(node, text, undefined), ...assignment(node, text)],
  },
  {
    kind: 'boolean',
    changes: (node, text) =>
      node.type === 'Literal' && typeof node.value === 'boolean' ? [replaced(node, text, String(!node.value))] : [],
  },
  { kind: 'condition', changes: condition },
  { kind: 'return', changes: answer },
  { kind: 'statement', changes: statement },
  { kind: 'method', changes: method },
  {
    kind: 'word',
    changes: (node, text) =>
      node.type === 'Literal' && typeof node.value === 'string' && Object.hasOwn(WORDS, node.value)
        ? [replaced(node, text, `'${WORDS[node.value]}'`)]
        : [],
  },
]
