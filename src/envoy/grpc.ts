/** From a service of the generated messages to one of gRPC, so that no second description of either is needed. */
import { fromBinary, toBinary, type DescMessage, type DescMethod, type DescService, type MessageShape } from '@bufbuild/protobuf'
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2'
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
} from '@grpc/grpc-js'

/** A message to send, or its bytes if they are there already. */
export type Outgoing<Desc extends DescMessage> = MessageShape<Desc> | Uint8Array

/** A service as `Server.addService` takes it, or as a client's calls are made from. */
export type Definition<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: MethodDefinition<MessageShape<Methods[Name]['input']>, Outgoing<Methods[Name]['output']>>
}

type HandlerOf<Method> = Method extends {
  methodKind: infer Kind
  input: infer In extends DescMessage
  output: infer Out extends DescMessage
}
  ? Kind extends 'unary'
    ? handleUnaryCall<MessageShape<In>, Outgoing<Out>>
    : Kind extends 'client_streaming'
      ? handleClientStreamingCall<MessageShape<In>, Outgoing<Out>>
      : Kind extends 'server_streaming'
        ? handleServerStreamingCall<MessageShape<In>, Outgoing<Out>>
        : handleBidiStreamingCall<MessageShape<In>, Outgoing<Out>>
  : never

/** What has to be written to serve it: one function per method. */
export type Implementation<Methods extends GenServiceMethods> = { readonly [Name in keyof Methods]: HandlerOf<Methods[Name]> }

/** The definition of a service, method by method under the names that the generated code has for them. */
export function definitionOf<Methods extends GenServiceMethods>(service: GenService<Methods>): Definition<Methods> {
  const { methods, typeName } = service as unknown as DescService
  const definitions = methods.map((method: DescMethod) => [method.localName, definition(typeName, method)])
  return Object.fromEntries(definitions) as Definition<Methods>
}

function definition(service: string, method: DescMethod): MethodDefinition<unknown, unknown> {
  const { input, output, methodKind } = method
  return {
    path: `/${service}/${method.name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: writer(input),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: writer(output),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  }
}

function writer(schema: DescMessage): (message: unknown) => Buffer {
  return (message) => {
    const bytes = message instanceof Uint8Array ? message : toBinary(schema, message as MessageShape<DescMessage>)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}
