import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { API, TENANT } from '../../../src/testing/tokens.ts'
import type { RecordMode } from '../../../src/core/record.ts'
import { freePort } from '../processes.ts'
import { HOST, ROLES, RULES } from '../workload.ts'
import type { Candidate, Place } from './candidate.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** The wiring: one resource, one issuer that is the bench's own publisher of keys. */
function wiring({ port, upstreamPort, workload }: Place, adminPort: number, record: RecordMode): unknown {
  return {
    apiVersion: 'ostiary.dev/v1',
    issuers: { entra: { kind: 'entra', authority: workload.origin, tenants: [TENANT], audiences: [API] } },
    resources: {
      orders: { protocol: 'http', hosts: [HOST], upstream: { url: `http://127.0.0.1:${upstreamPort}` }, record },
    },
    doors: { http: { listen: [{ address: `127.0.0.1:${port}` }] } },
    admin: { listen: `127.0.0.1:${adminPort}` },
  }
}

function policy(): unknown {
  return {
    apiVersion: 'ostiary.dev/v1',
    roles: Object.fromEntries(ROLES.map((role, i) => [`role-${i}`, { bind: [{ issuer: 'entra', claim: 'roles', any: [role] }] }])),
    rules: [
      ...RULES.map(({ id, role, template }) => ({
        id,
        role: `role-${ROLES.indexOf(role)}`,
        resource: 'orders',
        actions: [`GET ${template}`],
      })),
      { id: 'operate', role: 'role-0', resource: 'ostiary', actions: ['* /**'] },
    ],
  }
}

export function ostiary(record: RecordMode): Candidate {
  return {
    id: `ostiary-${record}`,
    name: `Ostiary, audit mode ${record}`,
    does: `verifies, 100 templates, identity headers and signed assertion, hash-chained record (${record})`,
    tool: undefined,
    enforces: 'tokens and policy',
    async prepare(place) {
      mkdirSync(join(place.folder, 'policy'), { recursive: true })
      writeFileSync(
        join(place.folder, 'ostiary.yaml'),
        stringify(wiring(place, await freePort(), record), { aliasDuplicateObjects: false }),
      )
      writeFileSync(join(place.folder, 'policy/load.yaml'), stringify(policy(), { aliasDuplicateObjects: false }))
      return { file: 'node', args: [join(ROOT, 'bin/ostiary.js'), 'up', '--config', place.folder] }
    },
  }
}
