"""The same torture for all movers: who loses a byte in which race? `python -m bench.losses`.

Each race does to `aws s3 mv`, `s5cmd mv`, `rclone move` and `outhaul move` what happens to files in the field, at the
same moment, and compares afterwards every byte that the producer wrote with what the source and the store hold.
"""
