"""What hangbot costs: speed and memory beside its peers, measured on this machine.

A benchmark, no test: nothing here fails because a machine is slow. Each figure stands beside
its goal and beside what a bare library does in the same rounds; the ratio travels from one
machine to another, the absolute figure does not. ``python -m bench`` runs all parts,
``python -m bench sandbox`` one. Everything talks to 127.0.0.1.
"""
