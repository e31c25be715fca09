import type { CatalogueEntry } from '../errors.ts'

export const config = {
  'config/yaml': {
    message: 'this is not valid YAML: {problem}',
    help: 'see https://yaml.org/spec/1.2.2 for the syntax; indentation is by spaces',
    exit: 65,
  },
  'config/alias': {
    message: 'the alias `{name}` is not allowed here',
    help: 'write the value out: what is merged by reference can not be reviewed where it is used',
    exit: 65,
  },
  'config/empty': { message: '`{file}` is empty', help: 'start it with `apiVersion: ostiary.dev/v1`', exit: 65 },
  'config/too-large': { message: '`{file}` is larger than {limit} characters', help: 'split it', exit: 65 },
  'config/unknown-key': { message: 'unknown key `{key}` in {where}', help: 'remove it', exit: 65 },
  'config/missing': { message: '`{key}` is missing in {where}', help: 'add `{key}:`', exit: 65 },
  'config/wrong-type': { message: '{where} must be of type {expected}', help: 'write a value of type {expected}', exit: 65 },
  'config/invalid': { message: '{where}: {problem}', help: 'correct the value', exit: 65 },
  'config/not-found': { message: 'there is no `{file}`', help: 'name the folder that holds `ostiary.yaml` with `--config DIR`', exit: 66 },
  'config/unreadable': {
    message: '`{file}` can not be read ({cause})',
    help: 'check that it exists and that this user may read it',
    exit: 66,
  },
  'config/no-environment': {
    message: 'there is no environment `{name}`',
    help: 'add `environments/{name}.yaml`, or name another with `--env`',
    exit: 66,
  },
  'config/overlay-key': {
    message: 'an environment can not set `{key}`',
    help: 'an environment changes wiring and adds `bindings:`; rules and guardrails stay in `policy/`',
    exit: 65,
  },
  'config/openapi': {
    message: 'the OpenAPI document `{file}` can not be used: {problem}',
    help: 'see docs/policy.md, Operation ids',
    exit: 65,
  },
} as const satisfies Record<string, CatalogueEntry>
