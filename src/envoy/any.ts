/**
 * Messages inside messages: `google.protobuf.Any`, packed so that equal content has equal bytes, and told as JSON that a person can read.
 * Only what is listed here is packed, unpacked or read; everything else is refused. Loading this file loads Envoy's messages.
 */
import {
  create,
  createRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
  type Message,
  type MessageShape,
  type Registry,
} from '@bufbuild/protobuf'
import { AnySchema, file_google_protobuf_struct, file_google_protobuf_wrappers, type Any } from '@bufbuild/protobuf/wkt'
import { OstiaryError } from '../core/errors.ts'
import { file_envoy_config_cluster_v3_cluster as cluster } from './messages/envoy/config/cluster/v3/cluster_pb.ts'
import { file_envoy_config_core_v3_extension as extension } from './messages/envoy/config/core/v3/extension_pb.ts'
import { file_envoy_config_endpoint_v3_endpoint as endpoint } from './messages/envoy/config/endpoint/v3/endpoint_pb.ts'
import { file_envoy_config_listener_v3_listener as listener } from './messages/envoy/config/listener/v3/listener_pb.ts'
import { file_envoy_config_route_v3_route_components as routeComponents } from './messages/envoy/config/route/v3/route_components_pb.ts'
import { file_envoy_config_route_v3_route as route } from './messages/envoy/config/route/v3/route_pb.ts'
import { file_envoy_extensions_access_loggers_grpc_v3_als as accessLog } from './messages/envoy/extensions/access_loggers/grpc/v3/als_pb.ts'
import { file_envoy_extensions_filters_http_ext_authz_v3_ext_authz as extAuthz } from './messages/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { file_envoy_extensions_filters_http_header_mutation_v3_header_mutation as headerMutation } from './messages/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts'
import { file_envoy_extensions_filters_http_jwt_authn_v3_config as jwtAuthn } from './messages/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { file_envoy_extensions_filters_http_rbac_v3_rbac as rbac } from './messages/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { file_envoy_extensions_filters_http_router_v3_router as router } from './messages/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager as connectionManager } from './messages/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { file_envoy_extensions_path_match_uri_template_v3_uri_template_match as uriTemplate } from './messages/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts'
import { file_envoy_extensions_transport_sockets_tls_v3_secret as secret } from './messages/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { file_envoy_extensions_transport_sockets_tls_v3_tls as tls } from './messages/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options as httpProtocolOptions } from './messages/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { file_envoy_type_matcher_v3_http_inputs as headerInputs } from './messages/envoy/type/matcher/v3/http_inputs_pb.ts'
import { file_xds_type_matcher_v3_http_inputs as httpInputs } from './messages/xds/type/matcher/v3/http_inputs_pb.ts'
import { file_xds_type_matcher_v3_matcher as matcher } from './messages/xds/type/matcher/v3/matcher_pb.ts'

/** Every message that is ever put into an `Any` here. */
export const registry: Registry = createRegistry(
  cluster,
  endpoint,
  listener,
  route,
  routeComponents,
  secret,
  extension,
  connectionManager,
  jwtAuthn,
  rbac,
  extAuthz,
  headerMutation,
  router,
  accessLog,
  uriTemplate,
  tls,
  httpProtocolOptions,
  headerInputs,
  httpInputs,
  matcher,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
)

const PREFIX = 'type.googleapis.com/'

/** Packs a message. Equal content has equal bytes, in whatever order its maps were filled. */
export function pack<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  known(schema.typeName)
  return create(AnySchema, { typeUrl: `${PREFIX}${schema.typeName}`, value: bytesOf(schema, message) })
}

/** Its bytes, the same for equal content: maps are written in the order of their keys. */
export function bytesOf<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array<ArrayBuffer> {
  return toBinary(schema, sorted(message) as MessageShape<Desc>)
}

/**
 * What is inside.
 * @throws OstiaryError `xds/message` for a type that isn't listed, or bytes that aren't one
 */
export function unpack(any: Any): Message {
  const schema = known(any.typeUrl.startsWith(PREFIX) ? any.typeUrl.slice(PREFIX.length) : any.typeUrl)
  try {
    return fromBinary(schema, any.value)
  } catch (error) {
    throw new OstiaryError('xds/message', { type: schema.typeName, problem: 'these bytes are not one' }, { cause: error })
  }
}

/** As JSON, with what is packed inside it in the open and the members of every object in order. */
export function readable<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return sorted(toJson(schema, message, { registry })) as JsonValue
}

/**
 * Back from JSON; an unknown field is refused.
 * @throws OstiaryError `xds/message`
 */
export function fromReadable<Desc extends DescMessage>(schema: Desc, json: JsonValue): MessageShape<Desc> {
  try {
    // The order of members decides in which order maps are packed further inside.
    return fromJson(schema, sorted(json) as JsonValue, { registry })
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw new OstiaryError('xds/message', { type: schema.typeName, problem }, { cause: error })
  }
}

function known(typeName: string): DescMessage {
  const schema = registry.getMessage(typeName)
  if (schema === undefined) throw new OstiaryError('xds/message', { type: typeName, problem: 'it is not among those that are sent' })
  return schema
}

/** A copy with the members of every object in order. A map is a plain object in these messages, and so is a `Struct`. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(sorted)
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>
  for (const name of Object.keys(value).sort()) copy[name] = sorted((value as Record<string, unknown>)[name])
  return copy
}
