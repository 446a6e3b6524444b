"""The public verbs, one file each; every command of the command line is one of these."""
