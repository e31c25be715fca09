/** Runs the command line in process and answers what it wrote. */
export async function run(...args: readonly string[]): Promise<{ readonly exit: number; readonly out: string; readonly err: string }> {
  const written = { out: '', err: '' }
  const taken = (stream: NodeJS.WriteStream, name: 'out' | 'err'): NodeJS.WriteStream['write'] => {
    const { write } = stream
    // Bytes are what the test runner tells its parent meanwhile.
    stream.write = (text: string | Uint8Array) => (typeof text === 'string' ? ((written[name] += text), true) : write.call(stream, text))
    return write
  }
  const out = taken(process.stdout, 'out')
  const err = taken(process.stderr, 'err')
  try {
    const { main } = await import('./main.ts')
    const exit = await main(args)
    return { exit, ...written }
  } finally {
    process.stdout.write = out
    process.stderr.write = err
  }
}
