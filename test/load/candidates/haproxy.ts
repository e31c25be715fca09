import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Candidate } from './candidate.ts'

export const haproxy: Candidate = {
  id: 'haproxy',
  name: 'HAProxy, plain proxy',
  does: 'no authentication; access log',
  tool: 'haproxy',
  enforces: 'nothing',
  prepare({ folder, port, upstreamPort }, tool) {
    const config = join(folder, 'haproxy.cfg')
    writeFileSync(
      config,
      `global
  nbthread 1
  maxconn 1000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend orders
backend orders
  server one 127.0.0.1:${upstreamPort} pool-max-conn 256
`,
    )
    return { file: tool!.path, args: ['-db', '-f', config] }
  },
}
