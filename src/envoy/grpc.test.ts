import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { GenService } from '@bufbuild/protobuf/codegenv2'
import { Client, credentials, Metadata, Server, ServerCredentials, status, type ServiceError } from '@grpc/grpc-js'
import { definitionOf, type Implementation } from './grpc.ts'
import { Authorization, CheckRequestSchema, CheckResponseSchema } from './messages/envoy/service/auth/v3/external_auth_pb.ts'
import {
  AccessLogService,
  StreamAccessLogsMessageSchema,
  StreamAccessLogsResponseSchema,
} from './messages/envoy/service/accesslog/v3/als_pb.ts'

type MethodsOf<S> = S extends GenService<infer Methods> ? Methods : never

async function serving<T>(add: (server: Server) => void, use: (client: Client) => Promise<T>): Promise<T> {
  const server = new Server()
  add(server)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  try {
    return await use(client)
  } finally {
    client.close()
    server.forceShutdown()
  }
}

test('a unary method, with a message and with bytes that are ready', async () => {
  let ready = false
  const implementation: Implementation<MethodsOf<typeof Authorization>> = {
    check({ request }, answer) {
      const response = create(CheckResponseSchema, { status: { code: 7, message: request.attributes?.contextExtensions['route'] ?? '' } })
      answer(null, ready ? toBinary(CheckResponseSchema, response) : response)
    },
  }
  const { check } = definitionOf(Authorization)
  assert.equal(check.path, '/envoy.service.auth.v3.Authorization/Check')
  await serving(
    (server) => server.addService(definitionOf(Authorization), implementation),
    async (client) => {
      const request = create(CheckRequestSchema, { attributes: { contextExtensions: { route: 'orders' } } })
      const ask = (): Promise<unknown> =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, request, (error, response) =>
            error === null ? resolve(response) : reject(error),
          )
        })
      const first = await ask()
      ready = true
      assert.deepEqual(await ask(), first)
      assert.equal((first as { status?: { message: string } }).status?.message, 'orders')
      const garbage = (bytes: Buffer): Promise<ServiceError | null> =>
        new Promise((resolve) =>
          client.makeUnaryRequest(
            check.path,
            (all: Buffer) => all,
            check.responseDeserialize,
            bytes,
            (error) => resolve(error),
          ),
        )
      assert.equal((await garbage(Buffer.from([0xff, 0xff, 0xff])))?.code, status.INTERNAL)
    },
  )
})

test('a client’s stream', async () => {
  const implementation: Implementation<MethodsOf<typeof AccessLogService>> = {
    streamAccessLogs(call, answer) {
      const names: string[] = []
      call.on('data', ({ identifier }: { identifier?: { logName: string } }) => names.push(identifier?.logName ?? ''))
      call.on('end', () => {
        const trailer = new Metadata()
        trailer.set('names', names.join())
        answer(null, create(StreamAccessLogsResponseSchema, {}), trailer)
      })
    },
  }
  const { streamAccessLogs } = definitionOf(AccessLogService)
  assert.deepEqual([streamAccessLogs.requestStream, streamAccessLogs.responseStream], [true, false])
  const names = await serving(
    (server) => server.addService(definitionOf(AccessLogService), implementation),
    (client) =>
      new Promise<string>((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = streamAccessLogs
        const call = client.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          (error) => void (error !== null && reject(error)),
        )
        call.on('status', ({ metadata }) => resolve(String(metadata.get('names')[0])))
        for (const logName of ['a', 'b']) call.write(create(StreamAccessLogsMessageSchema, { identifier: { logName } }))
        call.end()
      }),
  )
  assert.equal(names, 'a,b')
})

test('what is written is what is read', () => {
  const { check } = definitionOf(Authorization)
  const request = create(CheckRequestSchema, { attributes: { contextExtensions: { a: 'b' } } })
  assert.deepEqual(check.requestDeserialize(check.requestSerialize(request)), request)
  assert.deepEqual(fromBinary(CheckRequestSchema, check.requestSerialize(request)), request)
})
