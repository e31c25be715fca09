import type { Command } from 'commander'
import { OstiaryError } from '../../core/errors.ts'
import type { Register } from './index.ts'

interface Node {
  readonly path: string
  readonly words: readonly string[]
}

/** Every command with the words that may follow it: its subcommands and options. */
function tree(command: Command, path: readonly string[] = []): readonly Node[] {
  const words = [
    ...command.commands.map((child) => child.name()),
    ...command.options.flatMap((option) => [option.long, option.short].filter((flag) => flag !== null && flag !== undefined)),
  ]
  return [{ path: path.join(' '), words }, ...command.commands.flatMap((child) => tree(child, [...path, child.name()]))]
}

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`)
  return `_ostiary() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _ostiary ostiary
`
}

function zsh(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words }) => `    '${path}') candidates=(${words.join(' ')}) ;;`)
  return `#compdef ostiary
_ostiary() {
  local -a candidates
  local place='' word
  for word in "\${words[@]:1:$((CURRENT - 2))}"; do
    case "$word" in -*) ;; *) place="\${place:+$place }$word" ;; esac
  done
  case "$place" in
${cases.join('\n')}
    *) candidates=() ;;
  esac
  if (( \${#candidates} )); then compadd -- "\${candidates[@]}"; else _files; fi
}
compdef _ostiary ostiary
`
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const parts = path === '' ? [] : path.split(' ')
    const condition =
      parts.length === 0 ? '__fish_use_subcommand' : parts.map((part) => `__fish_seen_subcommand_from ${part}`).join('; and ')
    return words.map((word) =>
      word.startsWith('--')
        ? `complete -c ostiary -n '${condition}' -l '${word.slice(2)}'`
        : word.startsWith('-')
          ? `complete -c ostiary -n '${condition}' -s '${word.slice(1)}'`
          : `complete -c ostiary -f -n '${condition}' -a '${word}'`,
    )
  })
  return `${lines.join('\n')}\n`
}

const SHELLS = { bash, zsh, fish }

export const completion: Register = (root, action) =>
  void root
    .command('completion')
    .description('completion for a shell: bash, zsh or fish')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(ostiary completion bash)\n  ostiary completion zsh > "${fpath[1]}/_ostiary"\n  ostiary completion fish > ~/.config/fish/completions/ostiary.fish',
    )
    .action(
      action(({ output }, [shell]) => {
        const name = String(shell)
        if (!Object.hasOwn(SHELLS, name))
          throw new OstiaryError('cli/usage', {
            problem: `there is no completion for \`${name}\`; write bash, zsh or fish`,
            command: 'completion',
          })
        const script = SHELLS[name as keyof typeof SHELLS](tree(root))
        output.answer(script, { shell: name, script })
      }),
    )
