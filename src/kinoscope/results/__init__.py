"""Results of the verbs, one file each: plain data, which ``views.console`` prints and ``to_dict`` returns for JSON."""
