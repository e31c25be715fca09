/**
 * Casbin: a line of policy per rule and guardrail, guardrails first, so that the first line that fits decides (`priority`). Its own `keyMatch3`
 * compares paths; what is cheap and fits few is compared first, since Casbin looks at every line.
 */
import { newEnforcer, newModelFromString, type Enforcer } from 'casbin'
import { methodsOf, type Ask, type CommonPolicy, type Engine, type Opened, type Statement } from './subset.ts'

const MODEL = `
[request_definition]
r = sub, res, act, path

[policy_definition]
p = role, res, act, path, claim, value, eft

[role_definition]
g = _, _

[policy_effect]
e = priority(p.eft) || deny

[matchers]
m = r.res == p.res && (r.act == p.act || p.act == '*') && g(r.sub.name, p.role) && keyMatch3(r.path, p.path) && hasClaim(r.sub.claims, p.claim, p.value)
`

/** Casbin's `/*` is anything below, which is what `/**` means. `{x}` is a segment to `keyMatch3`. */
const pathOf = (template: string): string => (template.endsWith('/**') ? template.slice(0, -1) : template)

export function linesOf(statement: Statement, effect: 'allow' | 'deny'): readonly (readonly string[])[] {
  const { role, resource, template, claim } = statement
  return methodsOf(statement).map((method) => [role, resource, method, pathOf(template), claim?.name ?? '', claim?.value ?? '', effect])
}

function hasClaim(claims: Readonly<Record<string, string>>, name: string, value: string): boolean {
  return name === '' || claims[name] === value
}

/** @param parties Casbin keeps who holds which role itself, so it has to know them. */
export async function openCasbin({ rules, guardrails }: CommonPolicy): Promise<Enforcer> {
  const enforcer = await newEnforcer(newModelFromString(MODEL))
  await enforcer.addFunction('hasClaim', hasClaim)
  const model = enforcer.getModel()
  model.addPolicies('p', 'p', [
    ...guardrails.flatMap((one) => linesOf(one, 'deny')).map((line) => [...line]),
    ...rules.flatMap((one) => linesOf(one, 'allow')).map((line) => [...line]),
  ])
  await enforcer.buildRoleLinks()
  return enforcer
}

export const casbin: Engine = {
  name: 'Casbin',
  setUp:
    'one enforcer, `enforceSync`, guardrails first with effect `priority`, resource and method compared before roles and paths (`keyMatch3`)',
  async open(policy): Promise<Opened> {
    const enforcer = await openCasbin(policy)
    const roles = enforcer.getRoleManager()
    const known = new Set<string>()
    return {
      prepare({ party, resource, method, path }: Ask) {
        if (!known.has(party.name)) for (const role of party.roles) void roles.addLink(party.name, role)
        known.add(party.name)
        return () => enforcer.enforceSync(party, resource, method, path)
      },
    }
  },
}
