"""Networks, one a file: the whole network, with its paper and the licence of its weights at the head.

The attribute names of modules are the keys of the stored weights, so they stay as they are.
"""
