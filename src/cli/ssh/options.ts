import type { Command } from 'commander'

/** Options of the commands that can prove who they are with a certificate of OpenSSH. `--audience` is with those of AWS. */
export function sshOptions(command: Command): Command {
  return command
    .option('--ssh', 'sign with the certified SSH key of this machine or its agent, by `ssh-keygen`')
    .option('--identity <file>', 'with --ssh, the key whose certificate is beside it; default: as ssh finds them, then the agent')
}
