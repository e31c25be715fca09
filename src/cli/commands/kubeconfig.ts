import type { Register } from './index.ts'
import { adminClient, adminOptions, adminUrl } from '../admin.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/json.ts'

interface Options {
  readonly kubeconfig?: string
  readonly contextPrefix: string
  readonly namespace?: string
  readonly setCurrent?: boolean
  readonly absolute?: boolean
  readonly print?: boolean
  readonly remove?: boolean
}

export const kubeconfig: Register = (root, action) =>
  void adminOptions(root.command('kubeconfig [cluster...]'))
    .description(
      'write contexts for kubectl, of all clusters or those named: they contain no secret, and ask for tokens by `ostiary kube-token`',
    )
    .option('--kubeconfig <file>', 'the file to write; default: as kubectl chooses, by KUBECONFIG or ~/.kube/config')
    .option('--context-prefix <text>', 'before the names of contexts and clusters', '')
    .option(
      '--namespace <namespace>',
      'the namespace of these contexts; default: that of the cluster, and what somebody has switched to stays',
    )
    .option('--set-current', 'make the first of them the current context')
    .option('--absolute', 'name this program by its path even where it is on the PATH')
    .option('--print', 'print a kubeconfig of these contexts alone, and write no file')
    .option('--remove', 'take out what was written for this gateway')
    .action(
      action(async ({ output }, [names], command) => {
        const options = command.opts<Options>()
        const problem = problemOf(options)
        if (problem !== undefined) throw new OstiaryError('cli/usage', { problem, command: 'kubeconfig' })
        const wanted = names as readonly string[]
        const url = adminUrl(command)
        const { chosen, printed, remove, write } = await import('../kubernetes/kubeconfig.ts')
        const { thisProgram } = await import('../kubernetes/program.ts')
        const { namespace, contextPrefix: prefix, kubeconfig: file, setCurrent = false, absolute = false } = options
        const how = { url, prefix, command: thisProgram(process.env, absolute), file, env: process.env, namespace, setCurrent }
        if (options.remove === true) {
          const removed = await remove(wanted, how)
          const lines = removed.map(({ file, contexts }) => `removed from ${file}: ${contexts.join(', ')}`)
          return output.answer(lines.length === 0 ? `there is nothing of ${url} to remove` : lines.join('\n'), { removed })
        }
        const { readDirectory } = await import('../../kubernetes/directory.ts')
        const answer = await (await adminClient(command)).request('GET', '/api/clusters')
        const read = readDirectory(answer as JsonValue)
        if ('problem' in read) throw new OstiaryError('cli/kube-directory', { url, problem: read.problem })
        const clusters = chosen(read.clusters, wanted, url)
        if (clusters.length === 0) throw new OstiaryError('cli/kube-none', { url })
        if (options.print === true) return void process.stdout.write(printed(clusters, how))
        const written = await write(clusters, read.clusters, how)
        const { file: where, changed, contexts, current, unlisted } = written
        const lines = [
          `${changed ? 'written to' : 'already in'} ${where}: ${contexts.join(', ')}`,
          ...(current === undefined ? [`to use one: kubectl config use-context ${contexts[0]}`] : [`the current context is ${current}`]),
          ...(unlisted.length === 0 ? [] : [`not listed for you any more, and left there: ${unlisted.join(', ')}`]),
        ]
        output.answer(lines.join('\n'), written)
      }),
    )

function problemOf({ contextPrefix, namespace, print, remove }: Options): string | undefined {
  if (!/^[A-Za-z0-9._:/@-]{0,100}$/.test(contextPrefix)) return '`--context-prefix` has letters, digits and `. _ : / @ -` only'
  if (namespace !== undefined && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) return '`--namespace` is no name of a namespace'
  return print === true && remove === true ? '`--print` and `--remove` do not go together' : undefined
}
