"""Networks, one file each: the whole network with its paper and licence at the head."""
