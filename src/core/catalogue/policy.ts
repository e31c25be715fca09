import type { CatalogueEntry } from '../errors.ts'

export const policy = {
  'policy/unknown-role': { message: 'unknown role `{name}` in {where}', help: 'declare it under `roles:`', exit: 65 },
  'policy/unknown-resource': {
    message: 'unknown resource `{name}` in {where}',
    help: 'declare it under `resources:` of `ostiary.yaml`',
    exit: 65,
  },
  'policy/unknown-issuer': {
    message: 'unknown issuer `{name}` in {where}',
    help: 'declare it under `issuers:` of `ostiary.yaml`',
    exit: 65,
  },
  'policy/unknown-claim': {
    message: 'unknown claim `{name}` in {where}',
    help: 'declare it under `claims:` of its issuer in `ostiary.yaml`',
    exit: 65,
  },
  'policy/unknown-field': { message: 'unknown name `{name}` in {where}', help: 'there are {known}', exit: 65 },
  'policy/unknown-parameter': {
    message: 'unknown parameter `{name}` in {where}',
    help: 'every action of the rule must have `{{name}}` in its template',
    exit: 65,
  },
  'policy/bad-name': {
    message: '`{name}` is not a name',
    help: 'write lower-case letters, digits and dashes, starting with a letter, at most 63',
    exit: 65,
  },
  'policy/duplicate-id': {
    message: 'the id `{id}` is used twice',
    help: 'it is also at {place}; an id names one rule or guardrail',
    exit: 65,
  },
  'policy/duplicate-role': {
    message: 'the role `{name}` is declared twice',
    help: 'it is also at {place}; list all its bindings in one place',
    exit: 65,
  },
  'policy/reserved-role': { message: 'the role `{name}` is built in', help: 'choose another name', exit: 65 },
  'policy/binding-values': {
    message: 'a binding of role `{role}` needs exactly one of `any`, `all` and `none`',
    help: 'write for example `any: [Orders.Read]`',
    exit: 65,
  },
  'policy/binding-all': {
    message: '`all` needs a list, and claim `{claim}` is of type {type}',
    help: 'write `any: [...]`',
    exit: 65,
  },
  'policy/binding-type': {
    message: 'claim `{claim}` is of type {type}, which `{value}` is not',
    help: 'write a value of the type of the claim; text that looks like a number or a truth value needs quotes',
    exit: 65,
  },
  'policy/person-binding': {
    message: 'role `{role}` is bound to one person by claim `{claim}`',
    help: 'bind a group or an app role; for an emergency add `breakGlass: { until: 2026-12-31T00:00:00Z }`',
    exit: 65,
  },
  'policy/break-glass-time': {
    message: '`{text}` is not a time',
    help: 'write RFC 3339, such as `2026-12-31T00:00:00Z`',
    exit: 65,
  },
  'policy/break-glass-expired': {
    message: 'the breakGlass binding of role `{role}` expired at {until}',
    help: 'remove it, or extend it in a reviewed change',
    exit: 65,
  },
  'policy/unbound-role': {
    message: 'role `{role}` is bound to nothing {where}',
    help: 'add `bind:` to the role, or `bindings:` for it to the environment',
    exit: 65,
  },
  'policy/guardrail-who': {
    message: 'guardrail `{id}` needs exactly one of `for` and `allBut`',
    help: 'write `for: [role]` for some roles, or `allBut: [role]` for everybody else',
    exit: 65,
  },
  'policy/role-cycle': {
    message: 'role `{role}` includes itself, by way of {chain}',
    help: 'take one of them out: a role that includes another is the wider one',
    exit: 65,
  },
  'policy/guardrail-effect': {
    message: 'guardrail `{id}` needs `deny` alone, or `actions` with some of `require`, `mask`, `limit` and `record`',
    help: 'write `deny: [DELETE /**]`, or `require: { mfa: true }` with `actions: [DELETE /**]`',
    exit: 65,
  },
  'policy/requirement': {
    message: '`require` of guardrail `{id}`: {problem}',
    help: 'write for example `network: [10.0.0.0/8]`, or `justification: { matches: "OPS-[0-9]+: .+" }`',
    exit: 65,
  },
  'policy/mask': {
    message: '`mask` of guardrail `{id}`: {problem}',
    help: 'write fields by JSONPath, such as `$.customer.email`, `$.items[*].card` or `$..iban`',
    exit: 65,
  },
  'policy/limit-window': {
    message: 'the window of guardrail `{id}` is {problem}',
    help: 'write a window of at least one second and at most 31 days, such as `1m`',
    exit: 65,
  },
  'policy/observe': {
    message: '{what} is to be observed {problem}',
    help: 'write `{form}`: whatever is only observed has a date from which on it is enforced',
    exit: 65,
  },
  'policy/observe-over': {
    message: '{what} is enforced since {until}',
    help: 'remove what says that it is observed',
    exit: 1,
  },
  'policy/not-carried-out': {
    message: 'guardrail `{id}` asks for {what} on resource `{resource}`, which nothing in front of it can carry out',
    help: 'a door of protocol {protocol} can not do that: take the resource out, or deny instead',
    exit: 65,
  },
  'policy/unknown-team': {
    message: 'the folder `policy/{team}/` belongs to no team',
    help: 'declare the team under `teams:` in a file of `policy/` itself, with what it `owns:`',
    exit: 65,
  },
  'policy/teams-place': {
    message: '`teams` stands in `{file}`',
    help: 'who owns what is said in files of `policy/` itself, not in the folders of teams',
    exit: 65,
  },
  'policy/not-owned': {
    message: '{where} speaks of resource `{resource}`, which team `{team}` does not own',
    help: 'whoever keeps `policy/` may add it to `owns:` of the team',
    exit: 65,
  },
  'policy/foreign-role': {
    message: 'role `{role}` of team `{team}` includes `{other}`, which is not a role of that team',
    help: 'a team may widen its own roles only; whoever keeps `policy/` may write the role there',
    exit: 65,
  },
  'policy/step-up': {
    message: 'guardrail `{id}` requires {what}, and nothing says how principals of issuer `{issuer}` prove it',
    help: 'write under `stepUp` of issuer `{issuer}` the claim and values that show it, or `never`',
    exit: 65,
  },
  'policy/step-up-claim': {
    message: '`stepUp` of issuer `{issuer}`: {problem}',
    help: 'name a claim that the issuer brings or declares, with values of its type',
    exit: 65,
  },
  'policy/evasion': {
    message: 'guardrail `{id}` can be evaded: rule `{rule}` grants the same to `everyone`',
    help: 'who drops the credential is not met by it; write `for: [everyone]` or `allBut: [...]`, or narrow the rule',
    exit: 65,
  },
  'policy/action': {
    message: '`{text}` is not an action of {protocol}: {problem}',
    help: 'write for example `GET /orders/{id}`',
    exit: 65,
  },
  'policy/condition': {
    message: '`when` of {where}: {problem}',
    help: 'see docs/policy.md for what a condition can say',
    exit: 65,
  },
  'policy/condition-type': { message: '`when` of {where}: {problem}', help: '`when` is a CEL expression that is true or false', exit: 65 },
  'policy/limit': { message: '{what} are more than {limit}', help: 'split it', exit: 65 },
  'policy/lockout': {
    message: 'nobody could administer this gateway: no rule grants anything on resource `ostiary` to a role that somebody can hold',
    help: "add a rule such as `{ id: administer, role: admin, resource: ostiary, actions: ['* /**'] }`",
    exit: 65,
  },
  'policy/role-persons': {
    message: 'role `{role}` is given to people by name only',
    help: 'bind a group or an app role beside the `breakGlass` bindings, or remove the role when the emergency is over',
    exit: 1,
  },
  'policy/person-value': {
    message: 'role `{role}` is bound to what looks like one person: `{value}` in claim `{claim}`',
    help: 'bind a group or an app role; for an emergency, a binding by `oid` with `breakGlass`',
    exit: 1,
  },
  'policy/rule-redundant': {
    message: 'rule `{rule}` grants nothing that rule `{other}` does not grant as well',
    help: 'remove it, or narrow the other, which is at {place}',
    exit: 1,
  },
  'policy/rule-strangers': {
    message: 'rule `{rule}` can be used by nobody: its roles are held by principals of {issuers}, and `{resource}` accepts none of these',
    help: 'add the issuer to `issuers:` of the resource, or a binding for an issuer that it accepts',
    exit: 1,
  },
  'policy/wildcard-several': {
    message: 'rule `{rule}` grants everything on {count} resources to `{role}`',
    help: 'list the actions, or write one rule for each resource',
    exit: 1,
  },
  'policy/for-both': {
    message: 'guardrail `{guardrail}` is for holders of `{role}`, and meets holders of `{other}` who hold both',
    help: 'write `allBut: [{other}]` where holders of `{other}` are exempt, or name both in `for:`',
    exit: 1,
  },
  'policy/confusable': {
    message: '`{text}` in {where} may not be what it looks like: {problem}',
    help: 'write it in letters of one alphabet; if it is right, have somebody else read it too',
    exit: 1,
  },
  'policy/audience-shared': {
    message: 'issuer `{issuer}` accepts tokens for `{audience}`, which is {whose}',
    help: 'register an API of your own and accept its audience: whoever can get a token for {whose} could present it here',
    exit: 1,
  },
  'policy/audience-pattern': {
    message: 'audience `{audience}` of issuer `{issuer}` is no pattern',
    help: 'audiences are compared byte by byte: write each one out',
    exit: 1,
  },
  'policy/audience-several': {
    message: 'issuer `{issuer}` accepts tokens for `{resource}` and for `{other}`, each on both',
    help: 'a token for `{first}` is good on `{resource}`, too: say under `scopes:` of each resource what the scopes of its own API cover',
    exit: 1,
  },
  'policy/team-owns-nothing': {
    message: 'team `{team}` owns no resource',
    help: 'check `owns:` against names and labels of resources in `ostiary.yaml`: its folder can speak of nothing',
    exit: 1,
  },
  'policy/selector-empty': {
    message: '{where} selects no resource',
    help: 'no resource has these labels: check them against `labels:` in `ostiary.yaml`',
    exit: 1,
  },
  'policy/role-unused': { message: 'role `{role}` is used by no rule and no guardrail', help: 'use it or remove it', exit: 1 },
  'policy/role-nobody': {
    message: 'nobody can hold role `{role}`',
    help: 'every binding of it has expired',
    exit: 1,
  },
  'policy/rule-shadowed': {
    message: 'no request can reach rule `{rule}`: guardrail `{guardrail}` always denies what it grants',
    help: 'remove one of them, or exempt a role with `allBut`',
    exit: 1,
  },
  'policy/look-alike': {
    message: '`{text}` and `{other}` differ only by {difference}',
    help: 'paths are compared exactly; write both on purpose, or one. The other is at {place}',
    exit: 1,
  },
  'policy/slash-gap': {
    message: 'guardrail `{guardrail}` denies `{text}` but not `{other}`, which rule `{rule}` grants',
    help: 'many servers take both for the same: deny both, or end the template with `/**`',
    exit: 1,
  },
  'policy/wildcard-grant': {
    message: 'rule `{rule}` grants everything on `{resource}` to `{role}`',
    help: 'list the actions, or name a role that is bound',
    exit: 1,
  },
  'policy/evaluation': {
    message: 'the question can not be answered: {problem}',
    help: 'see docs/authzen.md',
    exit: 65,
  },
  'policy/test-incomplete': {
    message: 'test `{name}` does not say {missing}',
    help: 'write it in the test, or in each row of its `cases`',
    exit: 65,
  },
  'policy/test-failed': { message: 'test `{name}` fails: {message}', help: 'change the policy, or what the test expects', exit: 1 },
  'policy/test-principal': { message: 'the principal of test `{name}` is wrong: {problem}', help: 'see docs/policy.md, Tests', exit: 65 },
} as const satisfies Record<string, CatalogueEntry>
