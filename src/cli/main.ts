process.stderr.write('ostiary: under construction\n')
process.exit(70)
