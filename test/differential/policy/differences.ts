/** Where engines decide differently of what is written the same: each case is run, and the table in docs/policy-engines.md is what came out. */
import { casbin } from './casbin.ts'
import { askCedar, cedarEngine, prepareCedar } from './cedar.ts'
import type { Ask, CommonPolicy, Engine, Statement } from './subset.ts'
import { opa } from './opa.ts'
import { ostiary } from './ostiary.ts'

export const ENGINES: readonly Engine[] = [ostiary, cedarEngine, opa, casbin]

export interface Case {
  readonly what: string
  readonly rules: readonly string[]
  readonly guardrails: readonly string[]
  readonly asks: string
  readonly claims?: Readonly<Record<string, string>> | undefined
  /** What Ostiary answers, and why that is right. */
  readonly because: string
}

/** Of what is written, what follows `if` is a claim that has to have a value. */
export const CASES: readonly Case[] = [
  {
    what: 'a rule asks for a claim that the caller lacks',
    rules: ['GET /orders if department = sales'],
    guardrails: [],
    asks: 'GET /orders',
    because: 'an error grants nothing',
  },
  {
    what: 'a guardrail asks for a claim that the caller lacks',
    rules: ['GET /orders'],
    guardrails: ['GET /orders if department = sales'],
    asks: 'GET /orders',
    because: 'whether it applies can’t be told, so it does',
  },
  {
    what: 'the path ends with another slash',
    rules: ['GET /orders'],
    guardrails: [],
    asks: 'GET /orders/',
    because: 'another path',
  },
  {
    what: 'a guardrail, and the path with another slash',
    rules: ['GET /**'],
    guardrails: ['GET /orders'],
    asks: 'GET /orders/',
    because: 'another path here too; `ostiary check` warns of such a guardrail',
  },
  { what: 'a parameter that is empty', rules: ['GET /orders/{id}'], guardrails: [], asks: 'GET /orders/', because: '`{id}` is not empty' },
  {
    what: 'nothing below `/**`',
    rules: ['GET /orders/**'],
    guardrails: [],
    asks: 'GET /orders',
    because: '`/orders/**` is below `/orders/`',
  },
  { what: 'another case', rules: ['GET /orders'], guardrails: [], asks: 'GET /Orders', because: 'paths differ by case' },
  {
    what: 'a method in lower case',
    rules: ['* /**'],
    guardrails: ['DELETE /**'],
    asks: 'delete /orders',
    because: 'many a framework takes it for `DELETE`',
  },
  {
    what: 'a letter that is percent-encoded',
    rules: ['GET /{page}'],
    guardrails: ['GET /admin'],
    asks: 'GET /%61dmin',
    because: 'the same segment (RFC 3986, 6.2.2.2)',
  },
  {
    what: 'a dot segment',
    rules: ['GET /public/**'],
    guardrails: [],
    asks: 'GET /public/../admin',
    because: 'not canonical: doors refuse it before',
  },
  { what: 'an empty segment', rules: ['GET /public/**'], guardrails: [], asks: 'GET /public//admin', because: 'not canonical' },
  { what: 'a dot in a template', rules: ['GET /a.json'], guardrails: [], asks: 'GET /a-json', because: 'a dot is a dot' },
]

function statements(prefix: string, texts: readonly string[]): readonly Statement[] {
  return texts.map((text, i) => {
    const [action = '', condition] = text.split(' if ')
    const [method = '', template = ''] = action.split(' ')
    const [name = '', value = ''] = condition?.split(' = ') ?? []
    return {
      id: `${prefix}-${i}`,
      role: 'reader',
      resource: 'orders',
      method,
      template,
      claim: condition === undefined ? undefined : { name, value },
    }
  })
}

export function policyAndAsk({ rules, guardrails, asks, claims }: Case): { readonly policy: CommonPolicy; readonly ask: Ask } {
  const [method = '', path = ''] = asks.split(' ')
  return {
    policy: {
      resources: ['orders'],
      roles: ['reader'],
      claims: ['department'],
      rules: statements('rule', rules),
      guardrails: statements('guardrail', guardrails),
    },
    ask: { party: { name: 'someone', roles: ['reader'], claims: claims ?? {} }, resource: 'orders', method, path },
  }
}

async function answerOf(engine: Engine, one: Case): Promise<string | undefined> {
  if (engine.missing?.() !== undefined) return undefined
  const { policy, ask } = policyAndAsk(one)
  const allowed = (await engine.open(policy)).prepare(ask)()
  const noted = engine === cedarEngine && askCedar(prepareCedar(policy), ask).errors > 0 ? ', notes an error' : ''
  return `${allowed ? 'allow' : 'deny'}${noted}`
}

/** What each engine answers, in the order of `ENGINES`; undefined for one that can't run here. */
export function answersOf(one: Case): Promise<readonly (string | undefined)[]> {
  return Promise.all(ENGINES.map((engine) => answerOf(engine, one)))
}

/** A line of the table; what differs from Ostiary is bold. */
export function lineOf({ what, rules, guardrails, asks, because }: Case, answers: readonly (string | undefined)[]): string {
  const code = (texts: readonly string[]): string => texts.map((text) => `\`${text}\``).join(', ')
  const effect = (answer: string | undefined): string | undefined => answer?.split(',')[0]
  const cells = answers.map((answer) => (effect(answer) === effect(answers[0]) ? (answer ?? '') : `**${answer ?? ''}**`))
  const cell = (text: string): string => (text === '' ? '' : ` ${text}`)
  return `| ${what} |${cell(code(rules))} |${cell(code(guardrails))} | \`${asks}\` | ${cells.join(' | ')} | ${because} |`
}

export async function differencesTable(): Promise<string> {
  const lines: string[] = []
  for (const one of CASES) lines.push(lineOf(one, await answersOf(one)))
  return [
    `| case | rules | guardrails | request | ${ENGINES.map(({ name }) => name).join(' | ')} | Ostiary, because |`,
    `|---|---|---|---|${ENGINES.map(() => '---|').join('')}---|`,
    ...lines,
  ].join('\n')
}
