import type { Command } from 'commander'

/** Options of the commands that can prove who they are with AWS credentials. */
export function awsOptions(command: Command): Command {
  return command
    .option('--aws', 'sign with the AWS credentials of this machine: environment, or shared files and profile')
    .option('--audience <value>', 'with --aws, --ssh or --workload, the audience of the gateway’s issuer', process.env['OSTIARY_AUDIENCE'])
    .option('--region <region>', 'with --aws, the region whose STS is asked; default: as AWS’s own tools have it')
    .option('--profile <name>', 'with --aws, the profile of the shared files')
}
