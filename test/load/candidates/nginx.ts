import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../processes.ts'
import { BODY_BYTES } from '../workload.ts'
import type { Candidate } from './candidate.ts'

function configuration(folder: string, http: string): string {
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, name), { recursive: true })
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
${http}}
`
}

function command(file: string, folder: string, text: string): Command {
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, text)
  // `user` only matters to root's workers, which must read nothing here.
  return { file, args: ['-e', 'stderr', '-p', folder, '-c', config] }
}

/** The reference: a plain proxy of one worker with keep-alive to the upstream and an access log. */
export const nginx: Candidate = {
  id: 'nginx',
  name: 'nginx, plain proxy',
  does: 'no authentication; access log',
  tool: 'nginx',
  enforces: 'nothing',
  prepare: ({ folder, port, upstreamPort }, tool) =>
    command(
      tool!.path,
      folder,
      configuration(
        folder,
        `  access_log ${folder}/access.log;
  upstream orders { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://orders; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
`,
      ),
    ),
}

/** What every proxy forwards to: a constant answer, no log. */
export function upstream(file: string, folder: string, port: number): Command {
  return command(
    file,
    folder,
    configuration(
      folder,
      `  access_log off;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 "${'x'.repeat(BODY_BYTES)}"; }
  }
`,
    ),
  )
}
