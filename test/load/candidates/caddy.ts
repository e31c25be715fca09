import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Candidate } from './candidate.ts'

export const caddy: Candidate = {
  id: 'caddy',
  name: 'Caddy, plain proxy',
  does: 'no authentication; JSON access log',
  tool: 'caddy',
  enforces: 'nothing',
  prepare({ folder, port, upstreamPort }, tool) {
    const config = join(folder, 'caddy.json')
    writeFileSync(
      config,
      JSON.stringify({
        admin: { disabled: true },
        logging: { logs: { default: { writer: { output: 'file', filename: join(folder, 'access.log') }, encoder: { format: 'json' } } } },
        apps: {
          http: {
            servers: {
              orders: {
                listen: [`127.0.0.1:${port}`],
                automatic_https: { disable: true },
                logs: {},
                routes: [
                  {
                    handle: [
                      {
                        handler: 'reverse_proxy',
                        upstreams: [{ dial: `127.0.0.1:${upstreamPort}` }],
                        transport: { protocol: 'http', keep_alive: { max_idle_conns_per_host: 256 } },
                      },
                    ],
                  },
                ],
              },
            },
          },
        },
      }),
    )
    return { file: tool!.path, args: ['run', '--config', config], env: { GOMAXPROCS: '1', XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } }
  },
}
