/**
 * Writes `src/envoy/messages` from Envoy's own definitions, as `@grpc/grpc-js-xds` carries them: `node bin/ostiary.js dev messages`.
 * What it needs is fetched into a folder of its own for just this, because nothing else needs it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const TOOLS = ['@grpc/grpc-js-xds@1.14.1', '@bufbuild/buf@1.75.0', '@bufbuild/protoc-gen-es@2.17.0']
/** Definitions that no package carries. */
const OWN = join(import.meta.dirname, 'protocols')
const OUT = join(import.meta.dirname, '../src/envoy/messages')

/** What is sent to Envoy or comes from it; what these import comes with them. */
const ROOTS = [
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/extensions/access_loggers/grpc/v3/als.proto',
  'envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto',
  'envoy/extensions/filters/http/jwt_authn/v3/config.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/path/match/uri_template/v3/uri_template_match.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/service/accesslog/v3/als.proto',
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/discovery/v3/ads.proto',
  'envoy/type/matcher/v3/http_inputs.proto',
  'opentelemetry/proto/collector/logs/v1/logs_service.proto',
  'xds/type/matcher/v3/http_inputs.proto',
  'xds/type/matcher/v3/matcher.proto',
]

/** What Envoy has by now, and these definitions don't yet: where, after which text, and what. */
const LATER: readonly (readonly [string, string, string])[] = [
  ['validate/validate.proto', 'message StringRules {', '\n  optional bool ignore_empty = 26;'],
  [
    'envoy/config/rbac/v3/rbac.proto',
    'option (udpa.annotations.file_status).package_version_status = ACTIVE;',
    '\n\nenum MetadataSource {\n  DYNAMIC = 0;\n  ROUTE = 1;\n}\n\nmessage SourcedMetadata {\n  type.matcher.v3.MetadataMatcher metadata_matcher = 1;\n  MetadataSource metadata_source = 2;\n}\n',
  ],
  ['envoy/config/rbac/v3/rbac.proto', 'core.v3.TypedExtensionConfig uri_template = 13;', '\n\n    SourcedMetadata sourced_metadata = 14;'],
  [
    'envoy/config/rbac/v3/rbac.proto',
    'type.matcher.v3.FilterStateMatcher filter_state = 12;',
    '\n\n    SourcedMetadata sourced_metadata = 13;',
  ],
  ['envoy/extensions/filters/http/jwt_authn/v3/config.proto', 'uint32 jwt_cache_size = 1;', '\n\n  uint32 jwt_max_token_size = 2;'],
]

function amend(file: string, after: string, text: string): void {
  const before = readFileSync(file, 'utf8')
  if (before.split(after).length !== 2) throw new Error(`${file}: \`${after}\` is not there once`)
  writeFileSync(file, before.replace(after, `${after}${text}`))
}

function run(folder: string, file: string, args: readonly string[]): void {
  const { status, error } = spawnSync(file, args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw error ?? new Error(`${file} ${args.join(' ')} ended with ${String(status)}`)
}

function generate(): void {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-messages-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    // The definitions alone are wanted of the first, none of what it depends on.
    run(folder, 'npm', ['pack', '--silent', TOOLS[0]!])
    mkdirSync(join(folder, 'definitions'))
    run(folder, 'tar', ['xzf', 'grpc-grpc-js-xds-1.14.1.tgz', '-C', 'definitions'])
    run(folder, 'npm', ['install', '--silent', '--ignore-scripts', ...TOOLS.slice(1)])
    const proto = join(folder, 'proto')
    for (const part of ['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'])
      cpSync(join(folder, 'definitions/package/deps', part), proto, { recursive: true })
    cpSync(OWN, proto, { recursive: true })
    for (const [file, before, after] of LATER) amend(join(proto, file), before, after)
    const plugin = [process.execPath, join(folder, 'node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es')]
    const opt = ['target=ts', 'import_extension=ts', 'erasable_syntax=true']
    const template = { version: 'v2', plugins: [{ local: plugin, out: 'out', include_imports: true, opt }] }
    writeFileSync(join(folder, 'buf.gen.yaml'), JSON.stringify(template))
    writeFileSync(join(folder, 'buf.yaml'), JSON.stringify({ version: 'v2', modules: [{ path: 'proto' }] }))
    run(folder, join(folder, 'node_modules/.bin/buf'), ['generate', ...ROOTS.flatMap((root) => ['--path', `proto/${root}`])])
    rmSync(OUT, { recursive: true, force: true })
    cpSync(join(folder, 'out'), OUT, { recursive: true })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

generate()
