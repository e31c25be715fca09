/** How an answer looks to Envoy: what it gives its caller in place of the upstream, or what it adds to the request that it forwards. */
import { create } from '@bufbuild/protobuf'
import {
  CheckResponseSchema,
  DeniedHttpResponseSchema,
  OkHttpResponseSchema,
  type CheckResponse,
} from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import {
  HeaderValueOption_HeaderAppendAction,
  HeaderValueOptionSchema,
  type HeaderValueOption,
} from '../../envoy/messages/envoy/config/core/v3/base_pb.ts'
import { StatusCode } from '../../envoy/messages/envoy/type/v3/http_status_pb.ts'
import { StatusSchema } from '../../envoy/messages/google/rpc/status_pb.ts'
import { CHECKED } from '../../envoy/metadata.ts'

/** Names and values alternating. */
export type Fields = readonly string[]

/** A response in place of the upstream's. */
export interface Denial {
  readonly status: number
  readonly fields: Fields
  readonly body: string
}

/** `google.rpc.Code`; Envoy asks only whether it is `OK`. */
const PERMISSION_DENIED = 7

const STATUSES: ReadonlySet<number> = new Set(Object.values(StatusCode).filter((code) => code !== StatusCode.Empty))

/** Everything that isn't allowed, down to faults of our own. */
export function denied({ status, fields, body }: Denial): CheckResponse {
  return create(CheckResponseSchema, {
    status: create(StatusSchema, { code: PERMISSION_DENIED }),
    httpResponse: {
      case: 'deniedResponse',
      // A status that Envoy doesn't know would become its own default.
      value: create(DeniedHttpResponseSchema, {
        status: { code: STATUSES.has(status) ? (status as StatusCode) : StatusCode.ServiceUnavailable },
        headers: overwriting(fields),
        body,
      }),
    },
  })
}

export interface Passed {
  readonly resource: string
  /** What the upstream is told. */
  readonly identity: Fields
  /** Names of the caller's own fields that go no further. */
  readonly remove: readonly string[]
  /** What the caller is told beside the upstream's answer. */
  readonly response: Fields
}

/** The filters after this one ask for the metadata: without it nothing passes. */
export function passed({ resource, identity, remove, response }: Passed): CheckResponse {
  return create(CheckResponseSchema, {
    status: create(StatusSchema),
    httpResponse: {
      case: 'okResponse',
      value: create(OkHttpResponseSchema, {
        headers: overwriting(identity),
        headersToRemove: [...removed({ identity, remove })],
        responseHeadersToAdd: overwriting(response),
      }),
    },
    dynamicMetadata: { [CHECKED.key]: resource },
  })
}

/** Names of what goes no further. Envoy removes after it has set, so what is set is not among them. */
export function removed({ identity, remove }: Pick<Passed, 'identity' | 'remove'>): readonly string[] {
  const set = new Set(names(identity))
  return [...new Set(remove.map((name) => name.toLowerCase()))].filter((name) => !set.has(name))
}

function names(fields: Fields): readonly string[] {
  return fields.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
}

function overwriting(fields: Fields): HeaderValueOption[] {
  return names(fields).map((key, index) =>
    create(HeaderValueOptionSchema, {
      header: { key, value: fields[index * 2 + 1]! },
      append: false,
      appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    }),
  )
}
