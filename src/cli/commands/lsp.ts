import type { Register } from './index.ts'

export const lsp: Register = (root, action) =>
  void root
    .command('lsp')
    .description('the language server for editors, on standard input and output (LSP 3.17)')
    .option('--stdio', 'accepted because editors add it; there is no other way')
    .action(
      action(async () => {
        const [{ LanguageServer }, { systemClock }, { version }] = await Promise.all([
          import('../lsp/server.ts'),
          import('../../core/clock.ts'),
          import('../version.ts'),
        ])
        const { code, reason } = await new LanguageServer(process.stdin, process.stdout, systemClock, version()).run()
        if (code !== 0) process.stderr.write(`ostiary lsp: ${reason}\n`)
        return code
      }),
    )
