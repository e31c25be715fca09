/** The body of an answer, whole; undefined where it is larger than `limit` bytes. Reads no further than that. */
export async function readBody(response: Response, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  for (;;) {
    const read = await reader?.read()
    if (read === undefined || read.done) return Buffer.concat(chunks)
    const chunk = read.value as Uint8Array
    size += chunk.byteLength
    if (size > limit) {
      await reader?.cancel()
      return undefined
    }
    chunks.push(chunk)
  }
}
