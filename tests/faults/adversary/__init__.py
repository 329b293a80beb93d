"""An unprivileged user who owns the source races against outhaul as root (threats T1 and T2).

`racer` is that user, `grounds` the directories with the canaries that must stay as they are, `test_adversary` the
trial. Nothing here imports outhaul.
"""
